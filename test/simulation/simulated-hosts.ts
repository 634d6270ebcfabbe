import type { Document } from 'mongodb'
import { FakeClock } from '../support/fake-clock.ts'
import { NappingClock } from '../support/napping-clock.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { type Fate, ServerInMemory } from '../support/server-in-memory.ts'

/** A machine with one process of the deployment, and its own clock. */
export interface Host {
  readonly name: string
  /** Which client of the server it is. */
  readonly client: number
  readonly clock: NappingClock
  /** It sends nothing any more, and nobody hears what it would say. */
  readonly isDead: boolean
}

/** What may happen with each command, as probabilities. */
export interface Risks {
  /** It is not simply answered. */
  readonly mishap: number
  /** Its host dies with it. */
  readonly crash: number
  /** Its host falls asleep before it hears the answer. */
  readonly sleep: number
  /** It, or its answer, is on its way for a few milliseconds, so that others come in between. */
  readonly slow: number
}

/** What may become of a command that reads, and of one that writes. */
const MISHAPS: { readonly read: readonly Fate[]; readonly write: readonly Fate[] } = {
  read: ['lost', 'answer lost', 'late', 'not primary'],
  write: ['lost', 'answer lost', 'late', 'no majority', 'rolled back', 'counter rolled back', 'not primary'],
}

const READS: ReadonlySet<string> = new Set(['find', 'aggregate', 'hello', 'listIndexes'])

const NO_RISKS: Risks = { mishap: 0, crash: 0, sleep: 0, slow: 0 }

/** How long a command or its answer is on its way at most, in milliseconds. */
const MOST_SLOW_MS = 8

/** Most of the CPU time of a simulation is that of the event loop. */
const SETTLING_TURNS = 3

/** How many machines have a wrong clock from the beginning. */
const WRONG_CLOCKS = 0.1

/** A clock that jumps is wrong by up to three days, in milliseconds. */
const MOST_WRONG_MS = 3 * 86_400_000

/**
 * Machines around one database, on a clock and a server of the test's own. Everything that happens to them comes from the
 * seed: commands that are lost, late, carried out without an answer or without a majority; fail-overs of which some learn
 * late; machines that sleep, processes that die with any command, clocks that jump.
 */
export class SimulatedHosts {
  readonly trace: string[] = []
  readonly clock: FakeClock = new FakeClock(undefined, SETTLING_TURNS)
  readonly server: ServerInMemory = new ServerInMemory()
  readonly random: () => number
  /** Called when a process dies with a command. */
  onCrash: () => void = () => {}
  /** Commands that were not simply answered. */
  mishaps = 0
  crashes = 0
  failOvers = 0
  sleeps = 0
  #risks: Risks = NO_RISKS
  readonly #hosts: { readonly name: string; readonly client: number; readonly clock: NappingClock; isDead: boolean }[] =
    []

  constructor(seed: number) {
    this.random = seededRandom(seed)
    this.server.fateOf = (command, body, client) => this.#fateOf(command, body, client)
    this.server.takes = (_command, client) => this.#travels(client)
    this.server.answers = (_command, client) => this.#travels(client)
  }

  /** From now on this may happen with each command. */
  takeRisks(risks: Risks): void {
    this.#risks = risks
  }

  /** From now on everything is answered, by the only primary, and all who live are awake. */
  calm(): void {
    this.takeRisks(NO_RISKS)
    this.rejoin()
    this.wakeUp()
    this.server.catchUp()
    this.tell('from now on everything is answered')
  }

  /** A machine whose process takes the server's next client. */
  add(): Host {
    const client = this.#hosts.length
    const host = { name: `p${client}`, client, clock: new NappingClock(this.clock), isDead: false }
    this.#hosts.push(host)
    if (this.chance(WRONG_CLOCKS)) this.jumpClock(host)
    return host
  }

  get living(): readonly Host[] {
    return this.#hosts.filter(({ isDead }) => !isDead)
  }

  get awake(): readonly Host[] {
    return this.#hosts.filter(({ clock }) => !clock.isAsleep)
  }

  /** Its clock stands still for ever: a process that is gone has no timers either. */
  kill({ client }: Host): void {
    const host = this.#hosts[client]
    if (!host || host.isDead) return
    this.tell(`${host.name} dies`)
    host.isDead = true
    host.clock.fallAsleep()
    this.crashes += 1
  }

  /** Its commands stand still between two, and so does its clock. Somebody stays awake. */
  fallAsleep({ name, clock }: Host): void {
    if (clock.isAsleep || this.awake.length < 2) return
    this.tell(`${name} falls asleep`)
    clock.fallAsleep()
    this.sleeps += 1
  }

  /** All that sleep wake up. */
  wakeUp(): void {
    for (const { name, clock } of this.living) {
      if (!clock.isAsleep) continue
      this.tell(`${name} wakes up`)
      clock.wakeUp()
    }
  }

  /** Another one becomes the primary. Some learn of that later. */
  failOver(): void {
    const late = this.living.filter(() => this.chance(0.4))
    const names = late.map(({ name }) => name).join(', ')
    this.tell(`a fail-over${names && `: ${names} still believe in the former primary`}`)
    this.server.failOver(late.map(({ client }) => client))
    this.failOvers += 1
  }

  /** All learn who the primary is. */
  rejoin(): void {
    if (!this.server.hasStranded) return
    this.tell('all know the primary')
    this.server.rejoin()
  }

  /** The wall clock of one machine is wrong from now on. */
  jumpClock({ name, clock }: Host): void {
    const ms = Math.round((this.random() * 2 - 1) * MOST_WRONG_MS)
    this.tell(`the clock of ${name} jumps by ${Math.round(ms / 60_000)} minutes`)
    clock.jumpWall(ms)
  }

  /** A line of the trace. */
  tell(what: string): void {
    this.trace.push(`${this.now} ms ${what}`)
  }

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.clock.monotonic() - 1_000
  }

  chance(probability: number): boolean {
    return this.random() < probability
  }

  below(n: number): number {
    return Math.floor(this.random() * n)
  }

  oneOf<T>(those: readonly T[]): T {
    return those[this.below(those.length)] as T
  }

  /** Lets time pass in steps, until it is so or the time is over. Returns whether it is so. */
  async until(isSo: () => boolean, mostMs: number, stepMs = 250): Promise<boolean> {
    for (let waited = 0; !isSo(); waited += stepMs) {
      if (waited >= mostMs) return false
      await this.clock.advance(stepMs)
    }
    return true
  }

  #fateOf(command: string, body: Document, client: number): Fate {
    const host = this.#hosts[client]
    if (!host) return 'answered' // the test itself
    if (host.isDead) return 'lost'
    this.server.time = this.clock.now()
    const { mishap, crash, sleep } = this.#risks
    const isRead = READS.has(command)
    const fate = this.chance(mishap) ? this.oneOf(isRead ? MISHAPS.read : MISHAPS.write) : 'answered'
    if (fate !== 'answered') this.mishaps += 1
    if (!isRead || fate !== 'answered') this.tell(`${host.name} ${command} ${aboutOf(body)}: ${fate}`)
    if (this.chance(crash)) {
      this.kill(host)
      this.onCrash()
    } else if (this.chance(sleep)) this.fallAsleep(host)
    return fate
  }

  /** A command to the server, or its answer: nothing leaves or reaches a machine that sleeps. */
  async #travels(client: number): Promise<void> {
    const host = this.#hosts[client]
    if (!host) return
    if (this.chance(this.#risks.slow)) await this.clock.sleep(1 + this.below(MOST_SLOW_MS))
    await host.clock.awake
  }
}

/** What a command is about: its collection, and the positions or the query that it names. */
function aboutOf(body: Document): string {
  const [name = ''] = Object.keys(body)
  const { documents, ops, filter, query, updates, deletes } = body
  const inserted: readonly Document[] = documents ?? ops?.flatMap(({ document }: Document) => document ?? []) ?? []
  const said = inserted.map(({ _id, e }) => `${_id}${e?.length === 0 ? ' (tombstone)' : ''}`)
  const asked = filter ?? query ?? updates?.map(({ q }: Document) => q) ?? deletes?.map(({ q }: Document) => q) ?? {}
  const about = said.length > 0 ? said.join(', ') : JSON.stringify(asked, plainNumbers)
  return typeof body[name] === 'string' && body[name] !== 'events' ? `${body[name]} ${about}` : about
}

function plainNumbers(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}
