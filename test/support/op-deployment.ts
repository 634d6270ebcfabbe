import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClientMetadata } from 'oidc-provider'
import type { Commit } from '../../lib/index.ts'
import type { Receipt } from '../../plugins/back-channel-logout/index.ts'
import { assertInvariants, wholeLog } from '../contract/event-store/invariants.ts'
import { Front } from './front.ts'
import type { KillPoint } from './kill-point.ts'
import { testSigningKey } from './op.ts'
import { OpProcess } from './op-process.ts'
import type { OpSetup } from './op-program.ts'
import { newPlace, openPlace, type Place, type PrivatePlace } from './store-place.ts'

/** What follows on the death of a process. */
export interface Sequel {
  readonly kind: Place['kind']
  /** Two run from the start, and the other one goes on; or one does, and a new one is started. */
  readonly processes: 1 | 2
}

/** Nobody else can open an embedded store; MongoDB is shared. */
export const SEQUELS: ReadonlyMap<string, Sequel> = new Map([
  ['restarted on adapters/file', { kind: 'file', processes: 1 }],
  ['taken over by a second one on MongoDB', { kind: 'mongodb', processes: 2 }],
])

export interface DeploymentOptions extends Sequel {
  readonly clients: readonly ClientMetadata[]
  /** How many times sooner the leases of the dead run out. Default: 5. */
  readonly quicker?: number
}

/** An OP as it is deployed: processes on one log, behind one address. They die when told, and others go on. */
export class Deployment {
  readonly issuer: string
  readonly #processes: number
  readonly #setup: OpSetup
  readonly #place: PrivatePlace
  readonly #front: Front
  #running: readonly OpProcess[] = []
  /** See `KillPoint.once`. */
  readonly #dead = join(tmpdir(), `oidc-provider-eventstore-dead-${randomUUID()}`)

  static async start({ kind, processes, clients, quicker = 5 }: DeploymentOptions): Promise<Deployment> {
    const [front, place, key] = await Promise.all([Front.start(), newPlace(kind), testSigningKey()])
    const issuer = `http://127.0.0.1:${front.port}`
    const setup: OpSetup = { place: place.place, issuer, clients, jwks: { keys: [key] }, quicker }
    const deployment = new Deployment(setup, place, front, processes)
    try {
      await deployment.fill()
      return deployment
    } catch (error) {
      await deployment.stop()
      throw error
    }
  }

  private constructor(setup: OpSetup, place: PrivatePlace, front: Front, processes: number) {
    this.issuer = setup.issuer
    this.#setup = setup
    this.#place = place
    this.#front = front
    this.#processes = processes
  }

  /** Starts processes until as many run as belong here, none of which is to die. */
  async fill(): Promise<void> {
    await this.#bury()
    await this.#start(this.#processes - this.#running.length)
  }

  /** Whichever process comes to this point first dies there, and no other one does. */
  async arm(point: KillPoint): Promise<void> {
    await rm(this.#dead, { force: true })
    await Promise.all(this.#running.map((process) => process.arm({ ...point, once: this.#dead })))
  }

  /** Kills the process that waits for an answer from this URI. */
  async killWhoPosts(uri: string): Promise<void> {
    await Promise.all(this.#running.map((process) => process.killIfPosting(uri)))
  }

  /** Kills one, whatever it does. */
  async killOne(): Promise<void> {
    await this.#running[0]?.kill()
  }

  /** Resolves when one has died; the others are out of danger then, and get all requests. */
  async death(): Promise<void> {
    await Promise.race(this.#running.map(({ died }) => died))
    await this.#bury()
  }

  /** Somebody goes on: the process that lives, or a new one. */
  async goOn(): Promise<void> {
    if (this.#running.length === 0) await this.#start(1)
  }

  /** The receipt of a session's logout, once nothing of it is left to do. */
  receipt(sessionUid: string): Promise<Receipt> {
    return this.#someone.receipt(sessionUid)
  }

  /** The position that the log has reached. */
  end(): Promise<number> {
    return this.#someone.end()
  }

  /** The log above a position: from whoever has it open, since an embedded store is open in one process only. */
  async log(after: number): Promise<Commit[]> {
    const [process] = this.#running
    const commits = process ? await process.log() : await this.#logOfTheDead()
    assertInvariants(commits, { dense: false })
    return commits.filter(({ position }) => position > after)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((process) => process.kill()))
    await this.#front.stop()
    await this.#place.drop()
    await rm(this.#dead, { force: true })
  }

  async #logOfTheDead(): Promise<Commit[]> {
    const { store, close } = await openPlace(this.#setup.place)
    try {
      return await wholeLog(store)
    } finally {
      await close()
    }
  }

  async #bury(): Promise<void> {
    this.#lead(this.#running.filter(({ isAlive }) => isAlive))
    await Promise.all(this.#running.map((process) => process.arm()))
  }

  get #someone(): OpProcess {
    const [process] = this.#running
    if (!process) throw new Error('no process is there to be asked')
    return process
  }

  async #start(count: number): Promise<void> {
    const started = await Promise.allSettled(Array.from({ length: count }, () => OpProcess.start(this.#setup)))
    const [failure] = started.filter((result) => result.status === 'rejected')
    this.#lead([
      ...this.#running,
      ...started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
    ])
    if (failure) throw failure.reason
  }

  #lead(running: readonly OpProcess[]): void {
    this.#running = running
    this.#front.leadTo(running.map(({ port }) => port))
  }
}

/** Inside a `describe`: an OP for its tests, which ends with them. */
export function deployment(options: () => Promise<DeploymentOptions>): () => Deployment {
  let deployed: Deployment | undefined
  before('start the OP', async () => {
    deployed = await Deployment.start(await options())
  })
  beforeEach('start who is missing', () => deployed?.fill())
  after('end the OP', () => deployed?.stop())
  return () => {
    if (!deployed) throw new Error('the OP is there inside hooks and tests only')
    return deployed
  }
}
