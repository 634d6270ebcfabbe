import assert from 'node:assert/strict'
import type { Document } from 'mongodb'
import type { Claim, NewCommit } from '../../lib/log/commit.ts'
import { type Appending, commitOf } from '../support/appending.ts'
import { assertLogSound } from '../support/invariants.ts'
import { LogProcess } from '../support/log-process.ts'
import { type Played, ScheduleFailed } from './played.ts'
import { type Host, SimulatedHosts } from './simulated-hosts.ts'

const PROCESSES = 3
/** Most schedules are short, so that there are many; one of ten is long. */
const MOST_WAVES = { short: 3, long: 8 }
const MOST_APPENDS = 5
/** Nobody removes what is younger, in milliseconds: here just older than an allocation of positions may be. */
const RETIRED_AFTER_MS = 11_000

const PAUSES_MS: readonly number[] = [0, 1, 50, 300, 1_200, 4_500]

/** Whatever comes, a caller is answered within so long. */
const ANSWERED_MS = 9_500

/** Within so long after the last mishap everything is found out and delivered, in milliseconds. */
const QUIET_MS = 12_000

/** A process of the deployment, with one who follows the log in it. */
interface Member {
  readonly host: Host
  readonly process: LogProcess
  /** Whether a change stream wakes it when others have appended. */
  readonly isHinted: boolean
  /** What was to be removed before it began to follow the log, or while it slept: it need not be given that. */
  readonly without: Set<string>
  readonly delivered: ReturnType<LogProcess['follow']>
}

/**
 * Plays one schedule of the log's protocol: several processes append and follow, their commands are lost, late, carried
 * out without an answer or without a majority, undone by a fail-over, the counter of positions too; some believe in a
 * former primary for a while; processes die with any command, and others take positions that they never use. Everything
 * is decided by the seed: clock and server are the test's own, so that the same seed plays the same schedule.
 *
 * @throws ScheduleFailed with what happened
 */
export async function playSchedule(seed: number): Promise<Played> {
  const schedule = new Schedule(seed)
  try {
    return await schedule.play()
  } catch (error) {
    throw new ScheduleFailed(seed, schedule.hosts.trace, error)
  }
}

class Schedule {
  readonly hosts: SimulatedHosts
  readonly #answered: Appending[] = []
  /** Appends without an answer, by the clocks of those who wait for it. */
  readonly #asked = new Set<Pick<Host, 'clock'>>()
  readonly #members: Member[] = []
  /** Ids of what was to be removed: it is, sooner or later, or is not. */
  readonly #going = new Set<string>()
  readonly #versions = new Map<string, number>()

  constructor(seed: number) {
    this.hosts = new SimulatedHosts(seed)
    this.hosts.onCrash = () => this.#start()
  }

  async play(): Promise<Played> {
    const { hosts } = this
    hosts.takeRisks({
      mishap: hosts.random() * 0.5,
      crash: hosts.random() * 0.01,
      sleep: hosts.random() * 0.02,
      slow: hosts.random() * 0.1,
    })
    for (let n = 0; n < PROCESSES; n++) this.#start()
    const waves = 1 + hosts.below(hosts.chance(0.1) ? MOST_WAVES.long : MOST_WAVES.short)
    for (let wave = 0; wave < waves; wave++) {
      await this.#wave()
      if (hosts.chance(0.3)) hosts.wakeUp()
      if (hosts.chance(0.15)) hosts.failOver()
      else if (hosts.chance(0.7)) hosts.rejoin()
      if (hosts.chance(0.15)) hosts.tell(`position ${hosts.server.skipPosition()} is taken, and never used`)
      if (hosts.chance(0.15)) this.#crash()
      if (hosts.chance(0.15)) await this.#retire()
      await hosts.clock.advance(hosts.oneOf(PAUSES_MS))
    }
    await this.#comeToRest()
    await this.#askForUsedMark()
    await this.#check()
    const unknown = this.#answered.filter(({ code }) => code === 'OUTCOME_UNKNOWN').length
    const acknowledged = this.#answered.filter(({ position }) => position !== undefined).length
    return {
      trace: hosts.trace,
      counts: {
        schedules: 1,
        acknowledged,
        refused: this.#answered.length - acknowledged - unknown,
        unknown,
        tombstones: hosts.server.documents.filter(({ e }) => e.length === 0).length,
        mishaps: hosts.mishaps,
        crashes: hosts.crashes,
        sleeps: hosts.sleeps,
        failOvers: hosts.failOvers,
        setBacks: hosts.server.setBacks,
        removed: hosts.server.removed.length,
      },
    }
  }

  #start(): void {
    const host = this.hosts.add()
    const isHinted = this.hosts.chance(0.7)
    const process = new LogProcess(this.hosts.server, host.clock, { fastPath: this.hosts.chance(0.5), isHinted })
    this.#members.push({ host, process, isHinted, without: new Set(this.#going), delivered: process.follow(0) })
  }

  /** One dies: none of its commands reaches the server any more, and nobody hears what it would say. */
  #crash(): void {
    this.hosts.kill(this.hosts.oneOf(this.hosts.living))
    this.#start()
  }

  /**
   * Some of what everybody has been given for a while goes for good. What has versions stays, as it does where retention
   * decides.
   */
  async #retire(): Promise<void> {
    const { hosts } = this
    await hosts.clock.advance(RETIRED_AFTER_MS)
    const seen = Math.min(...this.#awake.map(({ delivered }) => delivered.commits.at(-1)?.position ?? 0))
    const old = hosts.server.documents.filter(
      ({ _id, e }) => _id <= seen && e.every(({ v }: Document) => v === undefined),
    )
    const going = old.filter(() => hosts.chance(0.7)).map(({ _id }) => Number(_id))
    if (going.length === 0) return
    for (const { _id, c } of old) if (going.includes(Number(_id))) this.#going.add(String(c))
    for (const { host, without } of this.#living) if (host.clock.isAsleep) for (const id of this.#going) without.add(id)
    hosts.tell(`${going.join(', ')} are removed`)
    const { process } = hosts.oneOf(this.#awake)
    let isOver = false
    void process
      .retire(going)
      .catch(() => {})
      .finally(() => {
        isOver = true
      })
    await hosts.until(() => isOver, 30_000, 500)
  }

  /** Some appends at once. Those of a process that dies meanwhile have no answer. */
  async #wave(): Promise<void> {
    const { hosts } = this
    for (let left = 1 + hosts.below(MOST_APPENDS); left > 0; left--) void this.#append()
    if (hosts.chance(0.15)) hosts.fallAsleep(hosts.oneOf(hosts.awake))
    if (hosts.chance(0.1)) this.#crash()
    // Nobody hears of a machine that sleeps.
    const isOver = (): boolean => [...this.#asked].every(({ clock }) => clock.isAsleep)
    assert.ok(await hosts.until(isOver, ANSWERED_MS), 'a caller waits for longer than nine seconds and a half')
    await hosts.clock.advance(1) // what begins next begins later
  }

  async #append(): Promise<void> {
    const { hosts } = this
    const { host, process } = hosts.oneOf(this.#awake)
    const commit = this.#commit(host.name)
    const began = hosts.now
    const asked = { clock: host.clock }
    this.#asked.add(asked)
    const answer = await process.append(commit)
    this.#asked.delete(asked)
    if (host.isDead) return
    hosts.tell(`${host.name} is told of ${answer.tag}: ${answer.position ?? answer.code}`)
    if (answer.position !== undefined) this.#hint()
    // By a clock that never sleeps.
    this.#answered.push({ ...answer, began, ended: hosts.now })
  }

  /** What a change stream does, where it is open. */
  #hint(): void {
    for (const { isHinted, process } of this.#awake) if (isHinted && this.hosts.chance(0.8)) process.wake()
  }

  get #living(): readonly Member[] {
    return this.#members.filter(({ host }) => !host.isDead)
  }

  get #awake(): readonly Member[] {
    return this.#members.filter(({ host }) => !host.clock.isAsleep)
  }

  #commit(name: string): NewCommit {
    const { hosts } = this
    const kind = hosts.random()
    const stream = `Thing:${'abc'[hosts.below(3)]}`
    if (kind < 0.4) return commitOf(name, { stream })
    if (kind < 0.7) return commitOf(name, { stream, claims: [this.#mark()] })
    const versioned = `Session:${hosts.below(2)}`
    const version = (this.#versions.get(versioned) ?? 0) + 1
    if (hosts.chance(0.7)) this.#versions.set(versioned, version)
    return commitOf(name, { stream: versioned, version })
  }

  #mark(): Claim {
    return { kind: 'once', mark: `code ${this.hosts.below(6)}` }
  }

  /** From now on everything is answered. What is unknown is found out, holes are closed, everything is delivered. */
  async #comeToRest(): Promise<void> {
    const { hosts } = this
    hosts.calm()
    const isUnknown = (): boolean => this.#answered.some(({ code }) => code === 'OUTCOME_UNKNOWN')
    const isAnswered = (): boolean => [...this.#asked].every(({ clock }) => clock.isAsleep) // only the dead still do
    const isDelivered = (): boolean => {
      const last = hosts.server.documents.findLast(({ e }) => e.length > 0)
      return this.#living.every(({ delivered }) => delivered.commits.at(-1)?.id === last?.['c'])
    }
    await hosts.until(() => !isUnknown() && isAnswered() && isDelivered(), QUIET_MS)
    await hosts.clock.advance(1_000) // and nothing more comes
  }

  /** Who wants a mark that a commit has is told so, and of no other trouble. */
  async #askForUsedMark(): Promise<void> {
    const { hosts } = this
    const held = hosts.server.documents.flatMap(({ k = [] }) => k as string[]).find((claim) => claim.startsWith('o:'))
    if (held === undefined) return
    const [{ process }] = this.#living as readonly [Member]
    let code: string | undefined
    void process.append(commitOf('late', { claims: [{ kind: 'once', mark: held.slice(2) }] })).then((answer) => {
      code = answer.code ?? 'none'
    })
    await hosts.until(() => code !== undefined, ANSWERED_MS)
    assert.equal(code, 'ALREADY_CLAIMED', 'what the caller is told of a mark that another has')
  }

  async #check(): Promise<void> {
    const { server } = this.hosts
    const known = this.#answered.filter(({ code }) => code !== 'OUTCOME_UNKNOWN')
    const all = [...server.documents, ...server.removed]
    // What came to its place when that was over is seen by some and not by others. Its caller was not told that it is there.
    const acknowledged = new Set(this.#answered.map(({ id }) => id))
    const late = all.filter(({ _id, c, e }) => e.length > 0 && _id <= server.floor && !acknowledged.has(c))
    const tooLate = new Set(late.map(({ c }) => String(c)))
    const subscribers = this.#members.map(({ without, delivered: { commits } }) => {
      const ids = commits.map(({ id }) => id).filter((id) => !tooLate.has(id))
      for (const id of ids) without.delete(id)
      return { after: 0, without, ids }
    })
    const { living } = this.hosts
    await assertLogSound(server.db, { answered: known, subscribers, removed: server.removed, tooLate })
    const commits = all.filter(({ c, e }) => e.length > 0 && !tooLate.has(c)).sort((a, b) => a['_id'] - b['_id'])
    const tags = commits.flatMap(({ e }) => e.map(({ d }: { d: { tag: string } }) => d.tag))
    assert.equal(new Set(tags).size, tags.length, 'a commit is in the log twice')
    for (const { host, without, delivered, process } of this.#members) {
      if (!living.includes(host)) continue
      assert.deepEqual(
        delivered.commits.map(({ id }) => id).filter((id) => !tooLate.has(id)),
        commits.filter(({ c }) => !without.has(c)).map(({ c }) => c),
        `what ${host.name} was given is not what is stored`,
      )
      assert.equal(await process.stop(), 0, `${host.name} leaves something unknown`)
    }
  }
}
