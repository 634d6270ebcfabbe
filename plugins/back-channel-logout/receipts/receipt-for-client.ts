import { type Receipt, receiptWith } from './receipt.ts'

/** What concerns one client: the ends of which it was to be told, its own entries in them, its own time to logout. */
export function receiptForClient({ sessionUid, ends }: Receipt, clientId: string): Receipt {
  const own = ends.map(({ timeToLogoutMs: _, relyingParties, ...end }) => ({
    ...end,
    relyingParties: relyingParties.filter((entry) => entry.clientId === clientId),
  }))
  return receiptWith(
    sessionUid,
    own.filter(({ relyingParties }) => relyingParties.length > 0),
  )
}
