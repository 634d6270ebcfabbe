import type { ClientMetadata } from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { Commit, EventStore, Plugin } from '../../lib/index.ts'
import { PLANNER } from '../../plugins/back-channel-logout/delivery/planner.ts'
import {
  type BackChannelLogout,
  type BackChannelLogoutOptions,
  backChannelLogout,
  type Receipt,
} from '../../plugins/back-channel-logout/index.ts'
import { uidOfStream } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { type Op, type OpOptions, startOp } from './op.ts'
import { type RelyingParty, startRp } from './rp.ts'

/** RPs by client id, each with what its metadata has besides the usual. */
export type Cast<Id extends string> = Readonly<Record<Id, Partial<ClientMetadata>>>

export interface SceneOptions extends Omit<OpOptions, 'plugins' | 'clients'> {
  readonly logout?: BackChannelLogoutOptions
  /** Clients without a server behind them. */
  readonly others?: readonly ClientMetadata[]
  readonly store?: EventStore
  /** Makes plugins that stand beside back-channel logout. */
  readonly beside?: (logout: BackChannelLogout) => readonly Plugin[]
}

/** An OP with back-channel logout, and RPs that are told. */
export class LogoutScene<Id extends string> {
  readonly store: EventStore
  readonly rps: Readonly<Record<Id, RelyingParty>>
  readonly logout: BackChannelLogout
  readonly op: Op

  static async start<Id extends string>(cast: Cast<Id>, options: SceneOptions = {}): Promise<LogoutScene<Id>> {
    const { logout: wishes, others = [], store = memoryStore(options), beside, ...opOptions } = options
    const ids = Object.keys(cast) as Id[]
    const started = await Promise.all(ids.map((id) => startRp(id, cast[id])))
    const logout = backChannelLogout({ development: true, allowInternal: ids, ...wishes })
    const clients = [...started.map(({ metadata }) => metadata), ...others]
    const op = await startOp(store, { ...opOptions, plugins: [logout, ...(beside?.(logout) ?? [])], clients })
    const rps = Object.fromEntries(started.map((rp) => [rp.clientId, rp])) as Record<Id, RelyingParty>
    return new LogoutScene(store, rps, logout, op)
  }

  private constructor(store: EventStore, rps: Record<Id, RelyingParty>, logout: BackChannelLogout, op: Op) {
    this.store = store
    this.rps = rps
    this.logout = logout
    this.op = op
  }

  async stop(): Promise<void> {
    await this.op.stop()
    await this.store.close()
    await Promise.all(Object.values<RelyingParty>(this.rps).map((rp) => rp.stop()))
  }

  log(): Promise<Commit[]> {
    return this.store.readAll({ after: 0, limit: 10_000 })
  }

  /** The commits that hold a fact of this type. */
  async commitsWith(type: string): Promise<Commit[]> {
    return (await this.log()).filter(({ events }) => events.some((event) => event.type === type))
  }

  /** The uids of the sessions that have ended, or a login in them, in the order of the ends. */
  async ended(): Promise<string[]> {
    const events = (await this.log()).flatMap((commit) => commit.events)
    const streams = events.filter(({ type }) => type === 'session_logout.terminated').map(({ stream }) => stream)
    return [...new Set(streams)].map(uidOfStream).filter((uid) => uid !== undefined)
  }

  /** The receipt of the one session that has ended, once nobody is still to be told. */
  async receipt(): Promise<Receipt> {
    const [uid, ...more] = await this.ended()
    if (uid === undefined || more.length > 0)
      throw new Error(`${uid === undefined ? 0 : more.length + 1} sessions ended`)
    return this.receiptOf(uid)
  }

  async receiptOf(uid: string): Promise<Receipt> {
    for (;;) {
      const receipt = await this.logout.receipt(uid)
      if (receipt.ends.length > 0 && receipt.settled) return receipt
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Resolves when all that has happened so far has been planned, and all that was planned is done. */
  async quiet(): Promise<void> {
    while ((await this.open()) > 0) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Resolves when all that has happened so far has been planned, and returns how many deliveries are open. */
  async open(): Promise<number> {
    const end = await this.store.end()
    while (((await this.store.consumers.get(PLANNER))?.position ?? 0) < end) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    return this.store.work('deliveries').countOpen()
  }
}

/** On the clock of the scene, if it has one: the store's time is not the machine's, then. */
function memoryStore({ clock }: Pick<SceneOptions, 'clock'>): EventStore {
  return new MemoryEventStore({ ...(clock && { clock }) })
}
