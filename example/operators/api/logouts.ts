import type { Receipt, ReceiptEntry } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Handler } from './api-request.ts'
import { assertKnown, oneOf, text } from './fields.ts'
import { firstOf, limitIn } from './some-of.ts'

const STATES: readonly ReceiptEntry['state'][] = ['pending', 'confirmed', 'rejected', 'abandoned', 'superseded']

/** Deliveries in a state are not indexed: they are looked for in so many of the newest logouts. */
const LOOKED_AT = 1_000

/** The sessions that ended, or logins in them, the newest first: which RP was told, how often it was tried, what it said. */
export const listLogouts: Handler = async ({ logout, fields }) => {
  assertKnown(fields, ['account', 'client', 'state', 'limit'])
  const [account, client] = [text(fields, 'account'), text(fields, 'client')]
  const state = oneOf(fields, 'state', STATES)
  const criteria = { ...(account !== undefined && { account }), ...(client !== undefined && { client }) }
  const receipts = logout.history(criteria, { order: 'newest' })
  const { items, more } = await firstOf(state === undefined ? receipts : inState(receipts, state), limitIn(fields))
  return { body: { logouts: items, more } }
}

async function* inState(
  receipts: AsyncIterable<Receipt>,
  state: ReceiptEntry['state'],
): AsyncGenerator<Receipt, void, undefined> {
  let looked = 0
  for await (const receipt of receipts) {
    if (receipt.ends.some(({ relyingParties }) => relyingParties.some((entry) => entry.state === state))) yield receipt
    looked += 1
    if (looked === LOOKED_AT) return
  }
}
