import assert from 'node:assert/strict'
import type { Db, Long } from 'mongodb'

/** An append that was answered, as its caller saw it. */
export interface Answered {
  /** In the data of its event: what tells it from all others, also when it has no position. */
  readonly tag: string
  /** Its position when it was acknowledged; absent when it was refused. */
  readonly position?: number
  readonly id?: string
  /** When it began and when it was answered, on a clock that all writers share. Default: not compared. */
  readonly began?: number
  readonly ended?: number
}

/** What came of a run of writers and readers. */
export interface Run {
  readonly answered: readonly Answered[]
  /** What each subscriber was given, as ids in its order, and the position that it started after. */
  readonly subscribers?: readonly Subscriber[]
  /** Documents that retention has removed. Their claims are free again. */
  readonly removed?: readonly object[]
  /** Ids of commits that do not count: nobody was answered for them, and their place was over before they came. */
  readonly tooLate?: ReadonlySet<string>
}

interface Subscriber {
  readonly after: number
  readonly ids: readonly string[]
  /** Ids of what was removed before it started. */
  readonly without?: ReadonlySet<string>
}

interface Stored {
  readonly _id: number | Long
  readonly c: string
  readonly k?: readonly string[]
  readonly e: readonly { readonly s: string; readonly v?: number; readonly d: { readonly tag?: string } }[]
}

/** Checks the invariants 1 to 4 of the log over the whole of it, as it lies in the database. */
export async function assertLogSound(db: Db, run: Run, prefix: string = ''): Promise<void> {
  const found = await db
    .collection<Stored>(`${prefix}events`, { readConcern: { level: 'majority' } })
    .find()
    .sort({ _id: 1 })
    .toArray()
  const removed = (run.removed ?? []) as readonly Stored[]
  const log = [...found, ...removed]
    .filter(({ c }) => !run.tooLate?.has(c))
    .sort((a, b) => Number(a._id) - Number(b._id))
  const counter = await db.collection<{ _id: string; floor?: number }>(`${prefix}counters`).findOne({ _id: 'events' })
  assertDense(log, Number(counter?.floor ?? 0), run)
  assertAnsweredTruly(log, run.answered)
  for (const subscriber of run.subscribers ?? []) assertDelivered(log, subscriber)
  assertClaimsUnique(found)
  assertVersionsDense(found)
  assertRealTimeOrder(run.answered)
}

/** 1. Above `floor` each position is a commit or a tombstone, up to the highest that was delivered. */
function assertDense(log: readonly Stored[], floor: number, { subscribers = [] }: Run): void {
  const highest = Math.max(floor, ...subscribers.map(({ ids }) => positionOf(log, ids.at(-1)) ?? 0))
  const above = log.map(({ _id }) => Number(_id)).filter((position) => position > floor && position <= highest)
  const missing = above.find((position, index) => position !== floor + 1 + index)
  assert.equal(missing, undefined, `something is missing before position ${missing}, which was delivered`)
  assert.equal(above.length, highest - floor)
}

/** 2. An acknowledged append is at exactly its position; a refused one at none. */
function assertAnsweredTruly(log: readonly Stored[], answered: readonly Answered[]): void {
  const positions = new Map<string, number[]>()
  for (const { _id, e } of log) {
    for (const tag of new Set(e.map(({ d }) => d.tag))) {
      if (tag !== undefined) positions.set(tag, [...(positions.get(tag) ?? []), Number(_id)])
    }
  }
  for (const { tag, position, id } of answered) {
    const expected = position === undefined ? [] : [position]
    assert.deepEqual(
      positions.get(tag) ?? [],
      expected,
      `positions of ${tag}, answered ${position ?? 'with a refusal'}`,
    )
    if (id !== undefined) assert.equal(positionOf(log, id), position, `the id of ${tag}`)
  }
}

/** 3. Everything above where it started, each once, in the order of the log, up to what it was given last. */
function assertDelivered(log: readonly Stored[], { after, ids, without }: Subscriber): void {
  const last = positionOf(log, ids.at(-1)) ?? after
  const expected = log.filter(
    ({ _id, c, e }) => e.length > 0 && Number(_id) > after && Number(_id) <= last && !without?.has(c),
  )
  assert.deepEqual(
    ids,
    expected.map(({ c }) => c),
    'what a subscriber was given',
  )
}

/** 4. No claim is held twice … */
function assertClaimsUnique(log: readonly Stored[]): void {
  const claims = log.flatMap(({ k }) => [...(k ?? [])])
  assert.equal(new Set(claims).size, claims.length, 'a claim is held twice')
  assert.equal(new Set(log.map(({ c }) => c)).size, log.length, 'a commit is there twice')
}

/** … versions of a stream are dense, and stand in their order … */
function assertVersionsDense(log: readonly Stored[]): void {
  const newest = new Map<string, number>()
  for (const { s, v } of log.flatMap(({ e }) => e)) {
    if (v === undefined) continue
    assert.equal(v, (newest.get(s) ?? 0) + 1, `a version of ${s}`)
    newest.set(s, v)
  }
}

/** … and an append acknowledged before another began has the lower position. */
function assertRealTimeOrder(answered: readonly Answered[]): void {
  const stored = answered.filter(({ position }) => position !== undefined)
  const ordered = stored.sort((a, b) => Number(a.position) - Number(b.position))
  let latestBegin: Answered | undefined
  for (const append of ordered) {
    if (append.began === undefined || append.ended === undefined) continue
    const late = latestBegin?.began !== undefined && latestBegin.began > append.ended
    assert.ok(!late, `${latestBegin?.tag} began after ${append.tag} was acknowledged, and has a lower position`)
    if (latestBegin?.began === undefined || append.began > latestBegin.began) latestBegin = append
  }
}

function positionOf(log: readonly Stored[], id: string | undefined): number | undefined {
  const found = log.find(({ c }) => c === id)
  return found && Number(found._id)
}
