import type { Receipt, ReceiptEntry } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { type App, appsOf } from '../own/client-names.ts'
import type { OwnParts } from '../own/parts.ts'
import { ACTOR } from './actor.ts'
import type { EndReference } from './end-reference.ts'

/** What the apps know of something that was ended. An app is in one of the lists. */
export interface ToldApps {
  /** They have confirmed it. */
  readonly told: readonly App[]
  /** They are being told, or will be tried again. */
  readonly telling: readonly App[]
  /** They refused it, or could not be reached in time: they may go on as if nothing had ended. */
  readonly unreached: readonly App[]
  /** They were not told, since that would have ended a login that is newer. */
  readonly spared: readonly App[]
  /** They cannot be told: they have not said where. */
  readonly untold: readonly App[]
  /** Whether nothing of this will change any more by itself. Never where there is `more`. */
  readonly settled: boolean
  /** Whether more sessions ended than are looked at: the apps of the others are in none of the lists. */
  readonly more: boolean
}

/** So many sessions that one termination has ended are looked at. */
export const LOOKED_AT = 100

/** Of several logins at an app the one counts that stands worst. */
const WORST = ['telling', 'unreached', 'spared', 'told'] as const

type Standing = (typeof WORST)[number]

/** What became of it by now. */
export async function toldApps(parts: OwnParts, reference: EndReference): Promise<ToldApps> {
  // Before the receipts: what is carried out has ended all that it is about, and there are no more of them.
  const isCarriedOut = await isDone(parts, reference)
  const found = await receiptsOf(parts, reference)
  const receipts = found.slice(0, LOOKED_AT)
  const more = found.length > LOOKED_AT
  const standing = new Map<string, Standing>()
  for (const { clientId, state } of receipts.flatMap((receipt) => entriesOf(receipt, reference))) {
    if (parts.hidden.has(clientId)) continue
    const [before, now] = [standing.get(clientId), STANDING[state]]
    if (before === undefined || WORST.indexOf(now) < WORST.indexOf(before)) standing.set(clientId, now)
  }
  const settled = isCarriedOut && !more && receipts.every((receipt) => receipt.settled)
  const others = reference.clientIds.filter((clientId) => !standing.has(clientId) && !parts.hidden.has(clientId))
  const apps = await appsOf(parts.host, [...standing.keys(), ...others])
  const those = (wanted: Standing): App[] =>
    [...standing].flatMap(([clientId, is]) => (is === wanted ? (apps.get(clientId) ?? []) : []))
  return {
    told: those('told'),
    telling: those('telling'),
    unreached: those('unreached'),
    spared: those('spared'),
    // Until it is settled one of them may still turn out to be one that is told.
    untold: settled ? others.flatMap((clientId) => apps.get(clientId) ?? []) : [],
    settled,
    more,
  }
}

const STANDING: Readonly<Record<ReceiptEntry['state'], Standing>> = {
  pending: 'telling',
  confirmed: 'told',
  rejected: 'unreached',
  abandoned: 'unreached',
  superseded: 'spared',
}

/** One session ends with the commit that ends it; many end one after the other, and not all of them may have by now. */
async function isDone({ logout }: OwnParts, { of, id }: EndReference): Promise<boolean> {
  return of === 'session' || (await logout.termination(id)) !== undefined
}

/** One more than are looked at, where there are others. */
async function receiptsOf({ logout }: OwnParts, { of, id }: EndReference): Promise<Receipt[]> {
  if (of === 'session') return [await logout.receipt(id)]
  const receipts: Receipt[] = []
  for await (const receipt of logout.receiptsOf(id, { limit: LOOKED_AT + 1 })) receipts.push(receipt)
  return receipts
}

/** A session may have ended login by login before: what the account itself has ended is meant. */
function entriesOf({ ends }: Receipt, { at }: EndReference): ReceiptEntry[] {
  return ends.filter((end) => end.actor === ACTOR && end.at >= at).flatMap(({ relyingParties }) => relyingParties)
}
