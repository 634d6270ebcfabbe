import type { BackChannelLogout, Receipt, ReceiptEntry } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Handler } from './api-request.ts'
import { assertKnown, oneOf, text } from './fields.ts'
import { firstOf, limitIn } from './some-of.ts'

const STATES: readonly ReceiptEntry['state'][] = ['pending', 'confirmed', 'rejected', 'abandoned', 'superseded']

/** Deliveries in a state other than pending are not indexed: they are looked for in so many of the newest logouts. */
const LOOKED_AT = 1_000

/** So many pending deliveries are looked at: those of one session are one logout. */
const PENDING_LOOKED_AT = 10_000

/**
 * The sessions that ended, or logins in them: which RP was told, how often it was tried, what it said. The newest first;
 * those with an RP that is pending by client, those due first.
 */
export const listLogouts: Handler = async ({ logout, fields }) => {
  assertKnown(fields, ['account', 'client', 'state', 'limit'])
  const [account, client] = [text(fields, 'account'), text(fields, 'client')]
  const state = oneOf(fields, 'state', STATES)
  const criteria = { ...(account !== undefined && { account }), ...(client !== undefined && { client }) }
  const receipts =
    state === 'pending' && account === undefined
      ? pendingLogouts(logout, client)
      : inState(logout.history(criteria, { order: 'newest' }), state)
  const { items, more } = await firstOf(receipts, limitIn(fields))
  return { body: { logouts: items, more } }
}

async function* pendingLogouts(
  logout: BackChannelLogout,
  client: string | undefined,
): AsyncGenerator<Receipt, void, undefined> {
  const told = new Set<string>()
  const criteria = client === undefined ? {} : { client }
  for await (const { sessionUid } of logout.pending(criteria, { limit: PENDING_LOOKED_AT })) {
    if (told.has(sessionUid)) continue
    told.add(sessionUid)
    const receipt = await logout.receipt(sessionUid)
    if (isInState(receipt, 'pending')) yield receipt
  }
}

async function* inState(
  receipts: AsyncIterable<Receipt>,
  state: ReceiptEntry['state'] | undefined,
): AsyncGenerator<Receipt, void, undefined> {
  let looked = 0
  for await (const receipt of receipts) {
    if (state === undefined || isInState(receipt, state)) yield receipt
    looked += 1
    if (state !== undefined && looked === LOOKED_AT) return
  }
}

function isInState({ ends }: Receipt, state: ReceiptEntry['state']): boolean {
  return ends.some(({ relyingParties }) => relyingParties.some((entry) => entry.state === state))
}
