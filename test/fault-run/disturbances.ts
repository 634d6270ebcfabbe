import { setTimeout as sleep } from 'node:timers/promises'
import type { MongoServer } from '../support/mongo-server.ts'
import type { OpFleet } from './op-fleet.ts'

/** What was done to the processes and to the database. */
export interface Disturbed {
  kills: number
  stops: number
  /** Of the stops: those that were longer than the leases, so that others took the work over. */
  longStops: number
  databaseRestarts: number
}

/** Leases run out after 10 s. */
const LONG_STOP_MS = [11_000, 15_000] as const
const SHORT_STOP_MS = [300, 4_000] as const

/** Kills and stops processes at random, until it is over; at least half of them answer at any time. */
export class Disturbances {
  readonly done: Disturbed = { kills: 0, stops: 0, longStops: 0, databaseRestarts: 0 }
  readonly #fleet: OpFleet
  readonly #server: MongoServer
  readonly #random: () => number
  readonly #everyMs: number
  readonly #over = new AbortController()
  readonly #underWay = new Set<Promise<void>>()
  readonly #running: Promise<void>

  /** @param everyMs - how long it is from one to the next, on average */
  constructor(
    fleet: OpFleet,
    server: MongoServer,
    { random, everyMs }: { readonly random: () => number; readonly everyMs: number },
  ) {
    this.#fleet = fleet
    this.#server = server
    this.#random = random
    this.#everyMs = everyMs
    this.#running = this.#run()
  }

  /** Kills the database, and starts it again. */
  async restartDatabase(): Promise<void> {
    this.done.databaseRestarts += 1
    await this.#server.kill('SIGKILL')
    await sleep(this.#between([300, 1_500]))
    await this.#server.restart()
  }

  /** No more of them; resolves when all processes run again. */
  async end(): Promise<void> {
    this.#over.abort()
    await this.#running
    await Promise.all(this.#underWay)
  }

  async #run(): Promise<void> {
    const { signal } = this.#over
    while (!signal.aborted) {
      await sleep(this.#everyMs * (0.3 + 1.4 * this.#random()), undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      const disturbed: Promise<void> = this.#disturb().finally(() => this.#underWay.delete(disturbed))
      this.#underWay.add(disturbed)
    }
  }

  async #disturb(): Promise<void> {
    const { up } = this.#fleet
    const slot = up[Math.floor(this.#random() * up.length)]
    if (slot === undefined || up.length - 1 < this.#fleet.size / 2) return
    if (this.done.kills === 0 || this.#random() < 0.6) {
      this.done.kills += 1
      await this.#fleet.killAndReplace(slot, this.#between([0, 2_000]))
      return
    }
    const isLong = this.#random() < 0.25
    this.done.stops += 1
    if (isLong) this.done.longStops += 1
    await this.#fleet.standStill(slot, this.#between(isLong ? LONG_STOP_MS : SHORT_STOP_MS))
  }

  #between([least, most]: readonly [number, number]): number {
    return least + (most - least) * this.#random()
  }
}
