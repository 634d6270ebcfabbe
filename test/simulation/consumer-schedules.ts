import assert from 'node:assert/strict'
import { type Commit, Consumer, Heartbeat, type NewWork, silent, type Work } from '../../lib/index.ts'
import type { EventStore } from '../../lib/log/event-store.ts'
import { WorkLoop } from '../../plugins/back-channel-logout/work/work-loop.ts'
import { commitOf } from '../support/appending.ts'
import { LogProcess } from '../support/log-process.ts'
import { ConsumerRules } from './consumer-rules.ts'
import { type Played, ScheduleFailed } from './played.ts'
import { type Host, SimulatedHosts } from './simulated-hosts.ts'

const CONSUMER = 'planner'
const TABLE = 'jobs'
const PROCESSES = 3
/** Most schedules are short, so that there are many; one of ten is long. */
const MOST_WAVES = { short: 3, long: 6 }
const MOST_APPENDS = 3

/** Pauses between waves, in milliseconds; a lease is lost after ten seconds. */
const PAUSES_MS: readonly number[] = [20, 500, 3_000, 12_000, 25_000]

/** How long handlers and work take at most, in milliseconds: for longer than a lease, and than it takes to miss a holder. */
const MOST_SLOW_MS = 45_000

/** Within so long after the last mishap all work is done, in milliseconds. */
const QUIET_MS = 240_000

/** Within so long everybody has stopped, in milliseconds. */
const STOP_MS = 15_000

/** A process of the deployment: it follows the log, makes work of it, and does work. */
interface Member {
  readonly host: Host
  readonly process: LogProcess
  readonly store: EventStore
  readonly consumer: Consumer
  readonly loop: WorkLoop
}

/**
 * Plays one schedule of consumers and work tables: several processes compete for the lease of a consumer, which makes work
 * of each commit, and for that work, while what `SimulatedHosts` tells of happens to them. Handlers and work are slow or
 * fail now and then. `ConsumerRules` looks at each change in the database; in the end every commit has its work, and all of
 * it is done.
 *
 * @throws ScheduleFailed with what happened
 */
export async function playConsumers(seed: number): Promise<Played> {
  const schedule = new ConsumerSchedule(seed)
  try {
    return await schedule.play()
  } catch (error) {
    throw new ScheduleFailed(seed, schedule.hosts.trace, error)
  }
}

class ConsumerSchedule {
  readonly hosts: SimulatedHosts
  readonly #rules: ConsumerRules
  readonly #members: Member[] = []
  /** Appends without an answer, by the clocks of those who wait for it. */
  readonly #asked = new Set<Pick<Host, 'clock'>>()
  readonly #finished = new Set<string>()
  #appended = 0
  #begun = 0
  #late = 0
  #isCalm = false

  constructor(seed: number) {
    this.hosts = new SimulatedHosts(seed)
    const { clock, server } = this.hosts
    this.hosts.onCrash = () => this.#start()
    this.#rules = new ConsumerRules({
      server,
      table: TABLE,
      now: () => clock.monotonic(),
      time: () => clock.now(),
      effectsOf,
    })
  }

  async play(): Promise<Played> {
    const { hosts } = this
    hosts.takeRisks({
      mishap: hosts.random() * 0.25,
      crash: hosts.random() * 0.01,
      sleep: hosts.random() * 0.01,
      slow: hosts.random() * 0.5,
    })
    for (let n = 0; n < PROCESSES; n++) this.#start()
    const waves = 1 + hosts.below(hosts.chance(0.1) ? MOST_WAVES.long : MOST_WAVES.short)
    for (let wave = 0; wave < waves; wave++) {
      for (let appends = hosts.below(MOST_APPENDS + 1); appends > 0; appends--) void this.#append()
      await hosts.clock.advance(hosts.oneOf(PAUSES_MS))
      if (hosts.chance(0.5)) hosts.wakeUp()
      if (hosts.chance(0.15)) hosts.failOver()
      else if (hosts.chance(0.7)) hosts.rejoin()
      if (hosts.chance(0.2)) this.#crash()
      if (hosts.chance(0.1)) hosts.fallAsleep(hosts.oneOf(hosts.awake))
      if (hosts.chance(0.1)) hosts.jumpClock(hosts.oneOf(hosts.awake))
      this.#assertSound()
    }
    await this.#comeToRest()
    await this.#stop()
    return {
      trace: hosts.trace,
      counts: {
        schedules: 1,
        appended: this.#appended,
        made: hosts.server.table(TABLE).length,
        /** By who was told so. */
        finished: this.#finished.size,
        /** Begun again where a holder died, or gave it back. */
        begun: this.#begun,
        /** Leases taken from others, and rows that were freed by others. */
        takeOvers: this.#rules.takeOvers,
        freed: this.#rules.freed,
        /** Writes of former holders that changed nothing. */
        late: this.#late,
        mishaps: hosts.mishaps,
        crashes: hosts.crashes,
        sleeps: hosts.sleeps,
        failOvers: hosts.failOvers,
      },
    }
  }

  #start(): void {
    const host = this.hosts.add()
    const { clock } = host
    const process = new LogProcess(this.hosts.server, clock, { isHinted: true })
    const { store } = process
    const heartbeat = new Heartbeat({ store, clock, logger: silent })
    const handle = (commits: readonly Commit[]): Promise<void> => this.#handle(host, store, commits)
    const consumer = new Consumer({ store, name: CONSUMER, clock, logger: silent, heartbeat, handle })
    const work = store.work(TABLE)
    const loop = new WorkLoop({
      work,
      clock,
      logger: silent,
      heartbeat,
      called: 'jobs',
      claims: [async (holder) => work.claim({ holder, now: await work.time(), limit: 3, perLane: 2 })],
      isDrained: (claimed) => claimed < 3,
      process: (row) => this.#process(host, store, row),
      pause: async () => ((await work.nextDueAt()) ?? Number.POSITIVE_INFINITY) - (await work.time()),
    })
    this.#members.push({ host, process, store, consumer, loop })
    void this.#insist(host, () => consumer.start(0))
    void this.#insist(host, () => loop.start())
  }

  /** A program that cannot start for want of a database tries again. */
  async #insist(host: Host, start: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await start()
      } catch (error) {
        this.hosts.tell(`${host.name} cannot start: ${error instanceof Error ? error.message : error}`)
        await host.clock.sleep(1_000)
      }
    }
  }

  #crash(): void {
    this.hosts.kill(this.hosts.oneOf(this.hosts.living))
    this.#start()
  }

  async #append(): Promise<void> {
    const { host, process } = this.hosts.oneOf(this.#awake)
    const asked = { clock: host.clock }
    this.#asked.add(asked)
    const { tag, position, code } = await process.append(commitOf(host.name))
    this.#asked.delete(asked)
    if (host.isDead) return
    this.hosts.tell(`${host.name} is told of ${tag}: ${position ?? code}`)
    if (position === undefined) return
    this.#appended += 1
    // What a change stream does, where it is open.
    for (const other of this.#awake) if (this.hosts.chance(0.8)) other.process.wake()
  }

  async #handle(host: Host, store: EventStore, commits: readonly Commit[]): Promise<void> {
    const { name } = host
    const at = commits.map(({ position }) => position).join(', ')
    this.hosts.tell(`${name} handles ${at}`)
    await this.#takeTime(host)
    if (this.#happens(0.05)) throw new Error('a handler fails now and then')
    const table = store.work(TABLE)
    const dueAt = await table.time()
    await table.add(commits.flatMap(({ position }) => rowsOf(position, dueAt)))
    this.hosts.tell(`${name} has handled ${at}`)
  }

  async #process(host: Host, store: EventStore, row: Work): Promise<void> {
    const { name } = host
    this.hosts.tell(`${name} begins ${row.id}`)
    this.#begun += 1
    assert.ok(!this.#finished.has(row.id), `${row.id} is begun again after it was finished`)
    await this.#takeTime(host)
    if (this.#happens(0.05)) throw new Error('work fails now and then')
    const table = store.work(TABLE)
    if (this.#happens(0.15)) {
      const dueAt = (await table.time()) + this.hosts.below(10_000)
      if (!(await table.putBack(row, { dueAt, body: row.body }))) this.#late += 1
      return
    }
    const isMine = await table.finish(row, await table.time())
    this.hosts.tell(`${name} ${isMine ? 'has finished' : 'has lost'} ${row.id}`)
    if (!isMine) this.#late += 1
    else if (this.#finished.has(row.id)) this.#rules.broken ??= `${row.id} is finished twice`
    else this.#finished.add(row.id)
  }

  /** Its machine may be suspended meanwhile, and everything that it knows is old when it goes on. */
  async #takeTime(host: Host): Promise<void> {
    if (this.#happens(0.15)) await host.clock.sleep(this.hosts.below(MOST_SLOW_MS))
    if (this.#happens(0.08)) this.hosts.fallAsleep(host)
    await host.clock.awake
  }

  #assertSound(): void {
    const { broken } = this.#rules
    assert.ok(broken === undefined, broken)
  }

  #happens(probability: number): boolean {
    return !this.#isCalm && this.hosts.chance(probability)
  }

  get #awake(): readonly Member[] {
    return this.#members.filter(({ host }) => !host.clock.isAsleep)
  }

  /** From now on everything is answered. Somebody lives: every commit has its work, and all work is done. */
  async #comeToRest(): Promise<void> {
    const { hosts } = this
    this.#isCalm = true
    hosts.calm()
    const isAnswered = (): boolean => [...this.#asked].every(({ clock }) => clock.isAsleep) // only the dead still do
    const isAtRest = (): boolean =>
      this.#rules.broken !== undefined || (isAnswered() && this.#openCommit() === undefined)
    await hosts.until(isAtRest, QUIET_MS, 1_000)
    this.#assertSound()
    const open = this.#openCommit()
    assert.ok(open === undefined, open)
    const ids = hosts.server.documents.flatMap(({ _id, e }) => (e.length > 0 ? effectsOf(_id) : []))
    const rows = hosts.server.table(TABLE).map(({ _id }) => String(_id))
    assert.deepEqual(rows.sort(), ids.sort(), 'the work is what the log says')
  }

  /** What is not done yet: of the first commit that lacks something. */
  #openCommit(): string | undefined {
    const { server } = this.hosts
    const position = server.row('consumers', CONSUMER)?.['position'] ?? 0
    for (const { _id, e } of server.documents) {
      if (e.length === 0) continue
      if (_id > position) return `the checkpoint stays at ${position}, and ${_id} is in the log`
      for (const id of effectsOf(_id)) {
        const state = server.row(TABLE, id)?.['state']
        if (state !== 'done') return `${id} is ${state ?? 'not there'}`
      }
    }
    return undefined
  }

  /** Whoever stops gives back what he holds. */
  async #stop(): Promise<void> {
    const { hosts } = this
    const stopping = new Set(this.#awake)
    for (const member of stopping) {
      void Promise.all([member.consumer.stop(), member.loop.stop()]).then(() => stopping.delete(member))
    }
    assert.ok(await hosts.until(() => stopping.size === 0, STOP_MS), 'a process does not stop')
    const held = hosts.server.table(TABLE).filter(({ state }) => state === 'held')
    assert.deepEqual(held, [], 'work is still held')
    this.#assertSound()
    for (const { process } of this.#awake) process.stopFollowing()
  }
}

/** The rows that a position of the log is to have, one or two. */
function effectsOf(position: number): readonly string[] {
  return Array.from({ length: 1 + (position % 2) }, (_, part) => `${position}/${part}`)
}

function rowsOf(position: number, dueAt: number): NewWork[] {
  return effectsOf(position).map((id) => ({ id, lane: `lane ${position % 3}`, dueAt, body: { position } }))
}
