import type { Commit, Event } from '../log/commit.ts'
import { foldRecord, generationOf, isMoved, type LocatedEvent, ownNames, repeatedBy } from '../provider/model-record.ts'
import { openState } from '../provider/model-state.ts'
import { isShared } from '../provider/models.ts'
import type { AccountKeys } from '../secrets/account-keys.ts'
import { dataKeyIn } from '../secrets/key-ring.ts'
import { isUnreadable } from '../secrets/unreadable.ts'
import { isOlder, type Judgements, type RetentionContext, type RetentionRule } from './retention-rule.ts'
import { isModelEvent, readUnits, type Unit, type UnitEvent } from './units.ts'

/** What strangers write: it goes first. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'Interaction',
  'ReplayDetection',
  'PushedAuthorizationRequest',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
])

const TYPES: ReadonlySet<string> = new Set(['stored', 'consumed', 'destroyed', 'revoked'])

/** Who issues under a grant, or goes on with an interaction, has done so within this time of having read it, in milliseconds. */
const RACE_MS = 24 * 3_600_000

/** So many keys of accounts are looked up with one command. */
const KEYS_AT_ONCE = 500

/** Streams in which the newest event decides: without it an older one would. */
const isDeciding = (stream: string): boolean => /^(uid|user_code|sid):/.test(stream)

/**
 * The provider's models. What was stored may go when it has expired, or ended, or something newer has taken its place. What
 * used, ended or revoked it may go after it: as long as a state is there that it speaks of, it has to stay, or the state
 * would live again. The end of a grant concerns whatever was issued under it, and stays until all of that has gone.
 */
export const modelRule: RetentionRule = {
  knows: (event) => isModelEvent(event) && TYPES.has(event.type),
  async judge(facts, context) {
    // What is written again and again is read once.
    const groups = new Map(facts.map(({ event }) => [keyOf(event), groupOf(event)]))
    const units = await readUnits(context.store, [...groups.values()])
    const sids = await sidStreamsOf(units, context.accountKeys)
    const destroyed = await destroyedKeysOf(facts, context)
    const found = units.map((unit, index): Found => ({ ...unit, sids: sids[index], destroyed }))
    const unitOfKey = new Map([...groups.keys()].map((key, index) => [key, found[index] as Found]))
    return judgements(new Map(facts.map(({ event }) => [event, unitOfKey.get(keyOf(event)) as Found])), context)
  },
}

/** Whether nothing but what strangers write is in the commit. */
export function isTransient({ events }: Commit): boolean {
  return events.every((event) => isModelEvent(event) && TRANSIENT.has(modelOf(event)))
}

/** A unit, and what its newest state says where it is a session's. */
interface Found extends Unit {
  /** The streams of the logins that it holds. Undefined: it cannot be opened, or is none. */
  readonly sids: ReadonlySet<string> | undefined
  /** When keys were destroyed that have sealed states which never expire, milliseconds since 1970, by the key's id. */
  readonly destroyed: ReadonlyMap<string, number>
}

function judgements(units: ReadonlyMap<Event, Found>, context: RetentionContext): Judgements {
  return {
    mayGo(fact, gone) {
      const unit = units.get(fact.event) as Found
      const left = { ...unit, events: unit.events.filter(({ position }) => !gone.has(position)) }
      return mayGo(fact, left, context)
    },
  }
}

/** The streams whose events decide on this one: its own, under all of their names, and those where the newest decides. */
function groupOf(event: Event): string[] {
  return [...ownNames(modelOf(event), event), ...(event.also ?? []).filter(isDeciding)]
}

function keyOf(event: Event): string {
  return groupOf(event).join(' ')
}

/** Whether the event may go, when these are left of its unit. */
function mayGo(fact: LocatedEvent, unit: Found, context: RetentionContext): boolean {
  const { event, commit } = fact
  // The cheapest first: most of what is written again and again is young.
  if (!unit.isReadable || !isOlder(commit.position, keepMs(event, context), context)) return false
  if (!decidesNothing(fact, unit, context)) return false
  if (event.type === 'stored')
    return (
      changesNothing(fact, unit, context) &&
      isDead(fact, unit, context) &&
      !(modelOf(event) === 'Session' && isFoundBy(fact, unit, context))
    )
  if (!unit.isComplete) return false
  const own = ownOf(event, unit)
  if (own.some((other) => other.type === 'stored' && other.generation <= generationOf(event))) return false
  if (modelOf(event) !== 'Grant') return true
  return isBarren(context.samples.endAfter(Math.max(...own.map(({ position }) => position)), RACE_MS), context)
}

/**
 * Whether nothing is left that was issued up to a position, under whatever grant. Nothing is issued under a grant that has
 * ended or expired: what this one has to keep down is gone then.
 */
function isBarren(end: number | undefined, { remaining }: RetentionContext): boolean {
  return end !== undefined && remaining.grantable >= end
}

/** In each stream where the newest event decides this one is not the newest, or nothing is left that it keeps down. */
function decidesNothing(
  { event, commit: { position } }: LocatedEvent,
  unit: Unit,
  { horizon }: RetentionContext,
): boolean {
  return (event.also ?? []).filter(isDeciding).every((stream) => {
    const others = unit.events.filter(({ streams }) => streams.includes(stream))
    return (
      others.some((other) => other.position > position && other.position <= horizon) ||
      (unit.isComplete && !others.some((other) => other.position < position && other.type === 'stored'))
    )
  })
}

/**
 * Whether what is left of its generation is the same without it: nothing older would take its place, and what came later
 * says all that it says.
 */
function changesNothing({ event, commit }: LocatedEvent, unit: Unit, { horizon }: RetentionContext): boolean {
  const { position } = commit
  const generation = generationOf(event)
  const own = ownOf(event, unit)
  if (own.some((other) => ends(other, { event, commit }) && other.position <= horizon)) return true
  const states = own.filter((other) => other.type === 'stored' && other.generation === generation)
  if (isPassedOver({ event, commit }, states)) return true
  const later = states.filter((other) => other.position > position)
  if (!later.every((other) => follows(other, { event, commit }, later))) return false
  const before = states.findLast((other) => other.position < position)
  // What repeats this one does not count on top of an older one: that has to go first.
  if (before && later.some((other) => repeats(other, { event, commit }) && !repeatsState(other, before))) return false
  return before === undefined || later.some((other) => other.position <= horizon)
}

/** Whether the state only repeats this one, or the same one as this. */
function repeats({ again }: UnitEvent, { event, commit }: Pick<LocatedEvent, 'event' | 'commit'>): boolean {
  return again !== undefined && (again === commit.id || again === repeatedBy(event))
}

function repeatsState({ again }: UnitEvent, other: UnitEvent): boolean {
  return again !== undefined && (again === other.commit || again === other.again)
}

/** Whether it only repeats a state that another one has taken the place of before it: then it never counted. */
function isPassedOver(
  { event, commit }: Pick<LocatedEvent, 'event' | 'commit'>,
  states: readonly UnitEvent[],
): boolean {
  const again = repeatedBy(event)
  const before = states.findLast(({ position }) => position < commit.position)
  return again !== undefined && before !== undefined && again !== before.commit && again !== before.again
}

/** Whether nobody finds the state any more, and has not for as long as such things are kept. */
function isDead({ event, commit }: LocatedEvent, unit: Found, context: RetentionContext): boolean {
  const keep = keepMs(event, context)
  const exp = typeof event.data['exp'] === 'number' ? event.data['exp'] : undefined
  if (exp !== undefined && exp * 1_000 + keep <= context.now)
    return modelOf(event) !== 'Grant' || isBarren(context.samples.endAt(exp * 1_000 + RACE_MS), context)
  const successor = successorOf({ event, commit }, unit)
  if (successor !== undefined) return isOlder(successor, keep, context)
  // As long as somebody may bring it back (a late save, or the adapter that it came from) the log has to say that it ended.
  if (exp !== undefined || isMoved(event)) return false
  const end = endOf({ event, commit }, unit)
  if (end !== undefined && isOlder(end, keep, context)) return true
  // What was an account's is nobody's once that was forgotten. It goes before the record of the key does.
  const forgotten = unit.destroyed.get(sealedBy(event) ?? '')
  return forgotten !== undefined && forgotten + keep <= context.now && modelOf(event) !== 'Grant'
}

/** Whether it ends the state: another issuer of the log has a thing of its own under the same id. */
function ends({ type, generation, instance }: UnitEvent, { event, commit }: LocatedEvent): boolean {
  if (type !== 'destroyed' || generation < generationOf(event)) return false
  const own = commit.meta.instance
  return isShared(modelOf(event)) || instance === own || instance === undefined || own === undefined
}

/** The position from which on it is over, be it that it was stored when it was already. */
function endOf({ event, commit }: LocatedEvent, unit: Unit): number | undefined {
  const end = ownOf(event, unit).find((other) => ends(other, { event, commit }))
  return end && Math.max(end.position, commit.position)
}

/** The position from which on another state has its place. */
function successorOf({ event, commit }: LocatedEvent, unit: Unit): number | undefined {
  const own = ownOf(event, unit)
  const stored = own.filter(({ type }) => type === 'stored')
  const { instance } = commit.meta
  const successor = stored.find(
    (other) =>
      other.position > commit.position &&
      other.instance === instance &&
      // That it was taken over, and what became of it, is told as long as the other adapter may hold it.
      (other.moved || !isMoved(event)) &&
      follows(other, { event, commit }, stored),
  )
  if (successor) return successor.position
  // What was moved in never follows a state of the OP's own.
  const overruled = isMoved(event) && own.find((other) => other.position < commit.position && isOwnState(other, event))
  return overruled ? commit.position : undefined
}

/**
 * Whether nothing is lost with a state when this one stays.
 *
 * @param states - those among which is what the later one repeats, if it does
 */
function follows(later: UnitEvent, { event, commit }: LocatedEvent, states: readonly UnitEvent[]): boolean {
  const { data } = event
  const isOnTop =
    later.again === undefined ||
    repeats(later, { event, commit }) ||
    states.some((other) => other !== later && other.position > commit.position && repeatsState(later, other))
  if (!isOnTop) return false
  const generation = generationOf(event)
  if (later.generation > generation) return true
  if (later.generation < generation || (later.moved && data['moved'] !== true)) return false
  if (typeof data['consumed'] === 'number' && !later.consumed) return false
  return Object.entries((data['revocations'] ?? {}) as Record<string, number>).every(
    ([model, count]) => (later.revocations[model] ?? 0) >= count,
  )
}

function isOwnState(other: UnitEvent, event: Event): boolean {
  return other.type === 'stored' && !other.moved && other.generation === generationOf(event)
}

/** Whether the session that lives is found by a `sid` that no later state names. A state names only those that are new. */
function isFoundBy({ event, commit }: LocatedEvent, unit: Found, { now }: RetentionContext): boolean {
  const sids = (event.also ?? []).filter((stream) => stream.startsWith('sid:'))
  const { newestStored } = unit
  if (sids.length === 0 || !newestStored || newestStored.event === event) return false
  const { exp } = newestStored.event.data
  if (typeof exp === 'number' && exp * 1_000 <= now) return false
  const later = unit.events.filter(({ type, position }) => type === 'stored' && position > commit.position)
  const unnamed = sids.filter((sid) => !later.some(({ streams }) => streams.includes(sid)))
  if (unnamed.length === 0) return false
  return unit.sids === undefined || unnamed.some((sid) => unit.sids?.has(sid))
}

/** Mostly without a command: next to nothing is an account's and never expires. */
async function destroyedKeysOf(
  facts: readonly LocatedEvent[],
  { store }: RetentionContext,
): Promise<ReadonlyMap<string, number>> {
  const lasting = facts.filter(({ event }) => event.type === 'stored' && event.data['exp'] === undefined)
  const ids = [...new Set(lasting.map(({ event }) => sealedBy(event)))].filter((id) => id !== undefined)
  const destroyed = new Map<string, number>()
  for (let from = 0; from < ids.length; from += KEYS_AT_ONCE)
    for (const { id, destroyedAt } of await store.accountKeys.find(ids.slice(from, from + KEYS_AT_ONCE)))
      if (destroyedAt !== undefined) destroyed.set(id, destroyedAt)
  return destroyed
}

/** The id of the account's key that has sealed a state. */
function sealedBy({ data }: Event): string | undefined {
  return typeof data['sealed'] === 'string' ? dataKeyIn(data['sealed']) : undefined
}

function sidStreamsOf(
  units: readonly Unit[],
  keys: AccountKeys,
): Promise<readonly (ReadonlySet<string> | undefined)[]> {
  return Promise.all(
    units.map(async ({ events, newestStored }) => {
      const isLong = events.filter(({ type }) => type === 'stored').length > 1
      return newestStored && isLong && modelOf(newestStored.event) === 'Session'
        ? sidStreams(keys, newestStored)
        : undefined
    }),
  )
}

/** The streams of the logins that a session holds. Undefined: it cannot be opened. */
async function sidStreams(keys: AccountKeys, newest: LocatedEvent): Promise<ReadonlySet<string> | undefined> {
  try {
    const state = await openState(keys, 'Session', foldRecord([newest]))
    if (!state) return undefined
    const logins = Object.values((state.payload['authorizations'] ?? {}) as Record<string, { sid?: unknown } | null>)
    return new Set(
      logins.flatMap((login) => (typeof login?.sid === 'string' ? keys.ring.streams('sid', login.sid) : [])),
    )
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}

/** The events of the same instance, whichever of its names they have. */
function ownOf(event: Event, unit: Unit): UnitEvent[] {
  const names = new Set(ownNames(modelOf(event), event))
  return unit.events.filter(({ streams }) => streams.some((stream) => names.has(stream)))
}

function keepMs(event: Event, { policy }: RetentionContext): number {
  return TRANSIENT.has(modelOf(event)) ? policy.interactionsMs : policy.statesMs
}

function modelOf({ stream }: Event): string {
  return stream.slice(0, stream.indexOf(':'))
}
