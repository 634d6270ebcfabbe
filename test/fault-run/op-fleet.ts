import { setTimeout as sleep } from 'node:timers/promises'
import type { Receipt } from '../../plugins/back-channel-logout/index.ts'
import type { Front } from '../support/front.ts'
import { OpProcess } from '../support/op-process.ts'
import type { Complaint, Held, OpSetup, TerminationWish } from '../support/op-program.ts'

/** A place for a process: the one that runs there is killed, and another one started. */
interface Slot {
  process: OpProcess | undefined
  /** Whether requests are led there: not while it is away. */
  up: boolean
}

/** How soon whoever stands in front of the processes sees that one does not answer, in milliseconds. */
const NOTICED_MS = 300

/** Processes of one OP behind one address, which die and stand still, and are led around when that is noticed. */
export class OpFleet {
  readonly complaints: Complaint[] = []
  readonly #setup: OpSetup
  readonly #front: Front
  readonly #slots: readonly Slot[]
  #asked = 0

  static async start(setup: OpSetup, front: Front, count: number): Promise<OpFleet> {
    const fleet = new OpFleet(setup, front, count)
    await Promise.all(fleet.#slots.map((_, slot) => fleet.#run(slot)))
    return fleet
  }

  private constructor(setup: OpSetup, front: Front, count: number) {
    this.#setup = setup
    this.#front = front
    this.#slots = Array.from({ length: count }, () => ({ process: undefined, up: false }))
  }

  get size(): number {
    return this.#slots.length
  }

  /** The places whose processes run and answer. */
  get up(): readonly number[] {
    return this.#slots.flatMap(({ up }, slot) => (up ? [slot] : []))
  }

  /** Kills the process there, by SIGKILL; after a while another one is started in its place. */
  async killAndReplace(slot: number, awayMs: number): Promise<void> {
    const killed = this.#of(slot)
    await killed.process?.kill()
    this.#bury(killed)
    await sleep(awayMs)
    await this.#run(slot)
  }

  /** Stops the process there for a while, by SIGSTOP. */
  async standStill(slot: number, forMs: number): Promise<void> {
    const stopped = this.#of(slot)
    stopped.process?.standStill()
    await sleep(Math.min(NOTICED_MS, forMs))
    stopped.up = false
    this.#lead()
    await sleep(Math.max(0, forMs - NOTICED_MS))
    await stopped.process?.goOn()
    stopped.up = true
    this.#lead()
  }

  /** Asks one of those that answer, the next one at each call. */
  terminate(wish: TerminationWish): Promise<unknown> {
    return this.#next().terminate(wish)
  }

  /** What each process that runs holds of the machine. */
  memory(): Promise<Held[]> {
    return Promise.all(this.#slots.flatMap(({ process }) => (process ? [process.memory()] : [])))
  }

  receipts(sessionUids: readonly string[]): Promise<Receipt[]> {
    return this.#next().receipts(sessionUids)
  }

  async stop(): Promise<void> {
    for (const slot of this.#slots) this.#keepComplaints(slot)
    await Promise.all(this.#slots.map(({ process }) => process?.kill()))
  }

  /** Until one runs: it ends at once while the database is away. */
  async #run(slot: number): Promise<void> {
    for (;;) {
      try {
        const started = this.#of(slot)
        started.process = await OpProcess.start(this.#setup)
        started.up = true
        this.#lead()
        return
      } catch {
        await sleep(NOTICED_MS)
      }
    }
  }

  #bury(slot: Slot): void {
    this.#keepComplaints(slot)
    slot.process = undefined
    slot.up = false
    this.#lead()
  }

  #keepComplaints({ process }: Slot): void {
    this.complaints.push(...(process?.complaints ?? []))
  }

  #next(): OpProcess {
    const up = this.#slots.flatMap(({ up, process }) => (up && process ? [process] : []))
    const process = up[this.#asked++ % up.length]
    if (!process) throw new Error('no process is there to be asked')
    return process
  }

  #lead(): void {
    this.#front.leadTo(this.#slots.flatMap(({ up, process }) => (up && process ? [process.port] : [])))
  }

  #of(slot: number): Slot {
    const found = this.#slots[slot]
    if (!found) throw new Error(`there is no place ${slot}`)
    return found
  }
}
