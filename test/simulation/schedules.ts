import assert from 'node:assert/strict'
import type { Document } from 'mongodb'
import type { Claim, NewCommit } from '../../lib/log/commit.ts'
import { type Appending, commitOf } from '../support/appending.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { assertLogSound } from '../support/invariants.ts'
import { LogProcess } from '../support/log-process.ts'
import { NappingClock } from '../support/napping-clock.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { type Fate, ServerInMemory } from '../support/server-in-memory.ts'

/** What a schedule did, for whoever reads the report. */
export interface Played {
  readonly acknowledged: number
  readonly refused: number
  readonly unknown: number
  readonly tombstones: number
  /** Commands that were not simply answered. */
  readonly mishaps: number
  readonly crashes: number
  /** Positions that retention has removed. */
  readonly removed: number
}

/** A schedule that broke an invariant: what happened until then, a line for each command and each answer to a caller. */
export class ScheduleFailed extends Error {
  readonly trace: readonly string[]

  constructor(seed: number, trace: readonly string[], cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super(`seed ${seed} breaks an invariant: ${why}\n\n${trace.join('\n')}`, { cause })
    this.trace = trace
  }
}

const MISHAPS: readonly Fate[] = ['lost', 'answer lost', 'late', 'no majority', 'rolled back', 'not primary']
const PROCESSES = 3
const MOST_WAVES = 6
const MOST_APPENDS = 5
/** Nobody removes what is younger, in milliseconds: here just older than an allocation of positions may be. */
const RETIRED_AFTER_MS = 11_000

const PAUSES_MS: readonly number[] = [0, 1, 50, 300, 1_200, 4_500]

/** Whatever comes, a caller is answered within so long. */
const ANSWERED_MS = 9_500

/** So long after the last mishap everything is found out and delivered, in milliseconds. */
const QUIET_MS = 12_000

/** A process of the deployment, with one who follows the log in it. */
interface Member {
  readonly name: string
  readonly client: number
  readonly process: LogProcess
  readonly clock: NappingClock
  /** What was to be removed before it began to follow the log, or while it slept: it need not be given that. */
  readonly without: Set<string>
  readonly delivered: ReturnType<LogProcess['follow']>
}

/**
 * Plays one schedule of the log's protocol: several processes append and follow, their commands are lost, late, carried
 * out without an answer or without a majority, undone by a fail-over; processes die between any two commands, and others
 * take positions that they never use. Everything is decided by the seed: clock and server are the test's own, so that the
 * same seed plays the same schedule.
 *
 * @throws ScheduleFailed with what happened
 */
export async function playSchedule(seed: number): Promise<Played> {
  const schedule = new Schedule(seed)
  try {
    return await schedule.play()
  } catch (error) {
    throw new ScheduleFailed(seed, schedule.trace, error)
  }
}

class Schedule {
  readonly trace: string[] = []
  readonly #random: () => number
  readonly #clock = new FakeClock()
  readonly #server = new ServerInMemory()
  readonly #answered: Appending[] = []
  readonly #dead = new Set<number>()
  readonly #gone: Member[] = []
  #members: Member[] = []
  #mishaps = 0
  /** Ids of what was to be removed: it is, sooner or later, or is not. */
  readonly #going = new Set<string>()
  #versions = new Map<string, number>()

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  async play(): Promise<Played> {
    const risk = this.#random() * 0.5
    this.#server.fateOf = (command, body, client) => this.#fateOf(command, body, client, risk)
    for (let n = 0; n < PROCESSES; n++) this.#start()
    this.#server.takes = (_command, client) => this.#clockOf(client)?.awake ?? Promise.resolve()
    const waves = 1 + this.#below(MOST_WAVES)
    for (let wave = 0; wave < waves; wave++) {
      await this.#wave()
      if (this.#random() < 0.3) this.#wakeUp()
      if (this.#random() < 0.15) this.trace.push(`position ${this.#server.skipPosition()} is taken, and never used`)
      if (this.#random() < 0.2) this.#crash()
      if (this.#random() < 0.25) await this.#retire()
      await this.#clock.advance(PAUSES_MS[this.#below(PAUSES_MS.length)] as number)
    }
    await this.#comeToRest()
    await this.#askForUsedMark()
    await this.#check()
    const unknown = this.#answered.filter(({ code }) => code === 'OUTCOME_UNKNOWN').length
    const acknowledged = this.#answered.filter(({ position }) => position !== undefined).length
    return {
      acknowledged,
      refused: this.#answered.length - acknowledged - unknown,
      unknown,
      tombstones: this.#server.documents.filter(({ e }) => e.length === 0).length,
      mishaps: this.#mishaps,
      crashes: this.#gone.length,
      removed: this.#server.removed.length,
    }
  }

  #start(): void {
    const client = this.#members.length + this.#gone.length
    const clock = new NappingClock(this.#clock)
    const process = new LogProcess(this.#server, clock, { fastPath: this.#random() < 0.5 })
    const without = new Set(this.#going)
    this.#members.push({ name: `p${client}`, client, process, clock, without, delivered: process.follow(0) })
  }

  /**
   * Some of what everybody has been given for a while goes for good. What has versions stays, as it does where retention
   * decides.
   */
  async #retire(): Promise<void> {
    await this.#clock.advance(RETIRED_AFTER_MS)
    const seen = Math.min(...this.#awake.map(({ delivered }) => delivered.commits.at(-1)?.position ?? 0))
    const old = this.#server.documents.filter(
      ({ _id, e }) => _id <= seen && e.every(({ v }: Document) => v === undefined),
    )
    const going = old.filter(() => this.#random() < 0.7).map(({ _id }) => Number(_id))
    if (going.length === 0) return
    for (const { _id, c } of old) if (going.includes(Number(_id))) this.#going.add(String(c))
    for (const { clock, without } of this.#members) if (clock.isAsleep) for (const id of this.#going) without.add(id)
    this.trace.push(`${this.#at} ${going.join(', ')} are removed`)
    const { process } = this.#awake[this.#below(this.#awake.length)] as Member
    let isOver = false
    const removing = process
      .retire(going)
      .catch(() => {})
      .finally(() => {
        isOver = true
      })
    for (let waited = 0; !isOver && waited < 30_000; waited += 500) await this.#clock.advance(500)
    await removing
  }

  /** One dies: none of its commands reaches the server any more, and nobody hears what it would say. */
  #crash(): void {
    const [member] = this.#members.splice(this.#below(this.#members.length), 1)
    if (!member) return
    this.trace.push(`${member.name} dies`)
    this.#dead.add(member.client)
    member.process.stopFollowing()
    this.#gone.push(member)
    this.#start()
  }

  /** Some appends at once. Those of a process that dies meanwhile have no answer. */
  async #wave(): Promise<void> {
    const answers = Array.from({ length: 1 + this.#below(MOST_APPENDS) }, () => this.#append())
    if (this.#random() < 0.15) this.#fallAsleep()
    if (this.#random() < 0.1) this.#crash()
    const open = new Set(answers)
    for (const one of answers) void one.answered.finally(() => open.delete(one))
    // Nobody hears of a machine that sleeps.
    const isOver = (): boolean => [...open].every(({ member }) => member.clock.isAsleep)
    for (let waited = 0; !isOver(); waited += 250) {
      assert.ok(waited <= ANSWERED_MS, 'a caller waits for longer than nine seconds and a half')
      await this.#clock.advance(250)
    }
    await this.#clock.advance(1) // what begins next begins later
  }

  #append(): { readonly member: Member; readonly answered: Promise<void> } {
    const member = this.#awake[this.#below(this.#awake.length)] as Member
    const commit = this.#commit(member.name)
    const began = this.#clock.monotonic()
    const answered = member.process.append(commit).then((answer) => {
      if (this.#dead.has(member.client)) return
      this.trace.push(`${this.#at} ${member.name} is told of ${answer.tag}: ${answer.position ?? answer.code}`)
      // By a clock that never sleeps.
      this.#answered.push({ ...answer, began, ended: this.#clock.monotonic() })
    })
    return { member, answered }
  }

  /** One machine sleeps: its commands stand still between two, and so does its clock. */
  #fallAsleep(client?: number): void {
    if (this.#awake.length < 2) return
    const some = this.#awake[this.#below(this.#awake.length)] as Member
    const member = client === undefined ? some : this.#awake.find((one) => one.client === client)
    if (!member) return
    this.trace.push(`${this.#at} ${member.name} falls asleep`)
    member.clock.fallAsleep()
  }

  #wakeUp(): void {
    for (const { name, clock } of this.#members) {
      if (!clock.isAsleep) continue
      this.trace.push(`${this.#at} ${name} wakes up`)
      clock.wakeUp()
    }
  }

  get #awake(): readonly Member[] {
    return this.#members.filter(({ clock }) => !clock.isAsleep)
  }

  #clockOf(client: number): NappingClock | undefined {
    return [...this.#members, ...this.#gone].find((member) => member.client === client)?.clock
  }

  #commit(name: string): NewCommit {
    const kind = this.#random()
    const stream = `Thing:${'abc'[this.#below(3)]}`
    if (kind < 0.4) return commitOf(name, { stream })
    if (kind < 0.7) return commitOf(name, { stream, claims: [this.#mark()] })
    const versioned = `Session:${this.#below(2)}`
    const version = (this.#versions.get(versioned) ?? 0) + 1
    if (this.#random() < 0.7) this.#versions.set(versioned, version)
    return commitOf(name, { stream: versioned, version })
  }

  #mark(): Claim {
    return { kind: 'once', mark: `code ${this.#below(6)}` }
  }

  #fateOf(command: string, body: Document, client: number, risk: number): Fate {
    const isDead = this.#dead.has(client)
    const fate = isDead ? 'lost' : this.#random() < risk ? (MISHAPS[this.#below(MISHAPS.length)] as Fate) : 'answered'
    if (isDead) return fate
    // Between a writer's two commands.
    if (command === 'findAndModify' && this.#random() < 0.08) this.#fallAsleep(client)
    if (fate !== 'answered') this.#mishaps += 1
    if (command !== 'find' || fate !== 'answered')
      this.trace.push(`${this.#at} p${client} ${command} ${positionsIn(body)}: ${fate}`)
    return fate
  }

  /** From now on everything is answered. What is unknown is found out, holes are closed, everything is delivered. */
  async #comeToRest(): Promise<void> {
    this.#server.fateOf = (_command, _body, client) => (this.#dead.has(client) ? 'lost' : 'answered')
    this.#wakeUp()
    this.#server.catchUp()
    this.trace.push(`${this.#at} from now on everything is answered`)
    await this.#clock.advance(QUIET_MS)
  }

  /** Who wants a mark that a commit has is told so, and of no other trouble. */
  async #askForUsedMark(): Promise<void> {
    const held = this.#server.documents.flatMap(({ k = [] }) => k as string[]).find((claim) => claim.startsWith('o:'))
    if (held === undefined) return
    const [{ process }] = this.#members as [Member]
    const answer = process.append(commitOf('late', { claims: [{ kind: 'once', mark: held.slice(2) }] }))
    await this.#clock.advance(ANSWERED_MS)
    assert.equal((await answer).code, 'ALREADY_CLAIMED', 'what the caller is told of a mark that another has')
  }

  async #check(): Promise<void> {
    const known = this.#answered.filter(({ code }) => code !== 'OUTCOME_UNKNOWN')
    const all = [...this.#server.documents, ...this.#server.removed]
    // What came to its place when that was over is seen by some and not by others. Its caller was not told that it is there.
    const acknowledged = new Set(this.#answered.map(({ id }) => id))
    const late = all.filter(({ _id, c, e }) => e.length > 0 && _id <= this.#server.floor && !acknowledged.has(c))
    const tooLate = new Set(late.map(({ c }) => String(c)))
    const subscribers = [...this.#members, ...this.#gone].map(({ without, delivered: { commits } }) => {
      const ids = commits.map(({ id }) => id).filter((id) => !tooLate.has(id))
      for (const id of ids) without.delete(id)
      return { after: 0, without, ids }
    })
    await assertLogSound(this.#server.db, { answered: known, subscribers, removed: this.#server.removed, tooLate })
    const commits = all.filter(({ c, e }) => e.length > 0 && !tooLate.has(c)).sort((a, b) => a['_id'] - b['_id'])
    const tags = commits.flatMap(({ e }) => e.map(({ d }: { d: { tag: string } }) => d.tag))
    assert.equal(new Set(tags).size, tags.length, 'a commit is in the log twice')
    for (const { name, without, delivered, process } of this.#members) {
      assert.deepEqual(
        delivered.commits.map(({ id }) => id).filter((id) => !tooLate.has(id)),
        commits.filter(({ c }) => !without.has(c)).map(({ c }) => c),
        `what ${name} was given is not what is stored`,
      )
      assert.equal(await process.stop(), 0, `${name} leaves something unknown`)
    }
  }

  get #at(): string {
    return `${this.#clock.monotonic() - 1_000} ms`
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n)
  }
}

/** The positions that a command is about, as far as it names them. */
function positionsIn({ documents, ops, filter }: Document): string {
  const inserted: readonly Document[] = documents ?? ops?.flatMap(({ document }: Document) => document ?? []) ?? []
  const said = inserted.map(({ _id, e }) => `${_id}${e?.length === 0 ? ' (tombstone)' : ''}`)
  return said.length > 0
    ? said.join(', ')
    : JSON.stringify(filter ?? {}, (_, value) => (typeof value === 'bigint' ? Number(value) : value))
}
