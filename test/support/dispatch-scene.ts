import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { Commit, EventStore } from '../../lib/index.ts'
import { withDeadlines } from '../../plugins/back-channel-logout/delivery/deadlines.ts'
import type { DeliveryOptions, DeliveryPolicy } from '../../plugins/back-channel-logout/delivery/delivery-policy.ts'
import type { DeliveryWorkerParts } from '../../plugins/back-channel-logout/delivery/delivery-worker.ts'
import { Dispatcher } from '../../plugins/back-channel-logout/delivery/dispatcher.ts'
import { policyOf } from '../../plugins/back-channel-logout/delivery/policy-options.ts'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'
import type { Network } from '../../plugins/back-channel-logout/network/network.ts'
import type { OidcClient, OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import { type Receipt, receiptOf } from '../../plugins/back-channel-logout/receipts/receipt.ts'
import { sessionLogoutStream, toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { FakeClock } from './fake-clock.ts'
import { KeptLog } from './kept-log.ts'
import { KeptTelemetry } from './kept-telemetry.ts'
import { checkedLogger, leaks } from './leak-check.ts'
import { workOf } from './planning.ts'
import { fold, registered, terminated } from './session-log.ts'

export const OP = 'https://op.example.com'

/** What an RP does with a request. */
export type Behaviour = (signal: AbortSignal) => Answer | Promise<Answer>

export interface Post {
  readonly clientId: string
  readonly url: string
  readonly token: string
  readonly inside: boolean
  /** By the clock of the process that posted, milliseconds since the scene began. */
  readonly atMs: number
}

export function says(status: number): Answer {
  return { kind: 'answered', status, body: '' }
}

/** Never answers; the attempt's time-out ends it. */
export const hangs: Behaviour = (signal) =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({ kind: 'failed', error: 'no answer in time' }))
  })

/** Dispatchers without a provider, a network or a clock that runs: deliveries, and what RPs are to say to them. */
export class DispatchScene {
  readonly clock: FakeClock = new FakeClock()
  readonly store: EventStore = new MemoryEventStore({ clock: this.clock })
  readonly log: KeptLog = new KeptLog()
  readonly telemetry: KeptTelemetry = new KeptTelemetry()
  readonly posts: Post[] = []
  readonly clients: Map<string, OidcClient> = new Map()
  /** Makes tokens; a test may replace it by something that cannot. */
  makeToken: (client: OidcClient, sid: string | undefined) => Promise<string> = async ({ clientId }) =>
    `${clientId}/${++this.#tokens}`
  /** For the jitter; the middle unless a test says otherwise. */
  random: () => number = () => 0.5
  on = true
  readonly paused: Set<string> = new Set()
  /** The trace context of the requests that end sessions. */
  trace: string | undefined
  /** What the provider emitted, without its context. */
  readonly emitted: { readonly event: string; readonly args: readonly unknown[] }[] = []
  /** The maximum age of what is planned. */
  policy: DeliveryPolicy = policyOf()
  inFlight = 0
  mostInFlight = 0
  readonly #behaviours = new Map<string, Behaviour>()
  readonly #dispatchers: Dispatcher[] = []
  readonly #clocks = new Set<FakeClock>()
  readonly #began = this.clock.monotonic()
  #tokens = 0
  #sessions = 0

  /** A client whose RP is at its own host, unless another URI is given. */
  client(
    clientId: string,
    behaviour: Behaviour = () => says(200),
    uri: string = `https://${clientId}.example.com/`,
  ): void {
    this.clients.set(clientId, { clientId, backchannelLogoutUri: uri, includeSid: () => true })
    this.#behaviours.set(clientId, behaviour)
  }

  /** What the log says of a client that was registered at run time: those of the configuration are not in it. */
  async recordClient(clientId: string, type: 'stored' | 'destroyed'): Promise<void> {
    const [stream, ...also] = this.store.keys.streams('Client', clientId)
    await this.store.append({ events: [{ stream, also, type, data: {} }] })
  }

  behave(clientId: string, behaviour: Behaviour): void {
    this.#behaviours.set(clientId, behaviour)
  }

  /** Ends so many sessions with a login at the client. Returns their uids; the deliveries are in the work table. */
  async owe(clientId: string, count: number = 1, issuer: string = OP): Promise<string[]> {
    leaks.subject('alice')
    const after = await this.store.end()
    const uids: string[] = []
    for (let i = 0; i < count; i++) {
      this.#sessions += 1
      const uid = `session-${this.#sessions}`
      uids.push(uid)
      const user_id = this.store.keys.seal('alice', sessionLogoutStream(uid))
      const login = registered(clientId, `sid-${this.#sessions}`, { user_id })
      const end = terminated('session', { triggered_at_origin: issuer })
      const meta = this.trace === undefined ? {} : { trace: this.trace }
      await this.store.append({ events: [toEvent(uid, login), toEvent(uid, end)], meta })
    }
    await this.plan(after)
    return uids
  }

  /** What the planner does with what was appended after this position. */
  async plan(after: number): Promise<void> {
    const commits = await this.store.readAll({ after, limit: 100_000 })
    const work = this.store.work('deliveries')
    const now = await work.time()
    await work.add(withDeadlines(await workOf(this.store, commits, now), this.policy, now))
  }

  /** A process; on its own clock where one is given, and reaching the world as is said. */
  async dispatcher(
    wishes: DeliveryOptions = {},
    clock: FakeClock = this.clock,
    reaching: (parts: DeliveryWorkerParts) => DeliveryWorkerParts = (parts) => parts,
  ): Promise<Dispatcher> {
    const policy = policyOf({ jitter: 0, ...wishes })
    const parts: DeliveryWorkerParts = {
      provider: this.#provider(),
      store: this.store,
      keys: this.store.keys,
      work: this.store.work('deliveries'),
      network: this.#network(clock),
      clock,
      logger: checkedLogger(this.log),
      telemetry: this.telemetry,
      policy,
      development: false,
      isInside: ({ clientId }) => clientId.startsWith('inside'),
      isOn: () => this.on,
      paused: () => this.paused,
      random: () => this.random(),
    }
    const dispatcher = new Dispatcher(reaching(parts))
    this.#dispatchers.push(dispatcher)
    this.#clocks.add(clock)
    await dispatcher.start()
    return dispatcher
  }

  async stop(): Promise<void> {
    for (const id of this.#behaviours.keys()) this.behave(id, () => says(200))
    const stopping = Promise.all(this.#dispatchers.map((dispatcher) => dispatcher.stop()))
    for (const clock of this.#clocks) await clock.advance(30_000)
    await stopping
    await this.store.close()
  }

  postsTo(clientId: string): Post[] {
    return this.posts.filter((post) => post.clientId === clientId)
  }

  /** When they were made, milliseconds since the scene began. */
  timesOf(clientId: string): number[] {
    return this.postsTo(clientId).map(({ atMs }) => atMs)
  }

  async receipt(uid: string): Promise<Receipt> {
    return receiptOf(fold(uid, await this.store.read(sessionLogoutStream(uid))))
  }

  /** How the only delivery of a session stands. */
  async entry(uid: string): Promise<Receipt['ends'][number]['relyingParties'][number]> {
    const [entry] = (await this.receipt(uid)).ends[0]?.relyingParties ?? []
    if (!entry) throw new Error(`nothing is owed for ${uid}`)
    return entry
  }

  async states(uids: readonly string[]): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const uid of uids) {
      const { state } = await this.entry(uid)
      counts[state] = (counts[state] ?? 0) + 1
    }
    return counts
  }

  async commits(type: string): Promise<Commit[]> {
    const commits = await this.store.readAll({ after: 0, limit: 100_000 })
    return commits.filter(({ events }) => events.some((event) => event.type === `session_logout.back_channel.${type}`))
  }

  open(): Promise<number> {
    return this.store.work('deliveries').countOpen()
  }

  #network(clock: FakeClock): Network {
    return {
      post: async (url, { logout_token: token = '' }, { inside, signal }) => {
        const clientId = token.split('/', 1)[0] ?? ''
        this.posts.push({ clientId, url, token, inside, atMs: clock.monotonic() - this.#began })
        this.inFlight += 1
        this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
        try {
          return await (this.#behaviours.get(clientId) ?? hangs)(signal)
        } finally {
          this.inFlight -= 1
        }
      },
      close: async () => {},
    }
  }

  #provider(): OidcProvider {
    const scene = this
    class IdToken {
      mask = {}
      readonly #client: OidcClient
      #sid: string | undefined
      constructor(_claims: { readonly sub: string }, { client }: { readonly client: OidcClient }) {
        this.#client = client
      }
      set(claim: string, value: unknown): void {
        if (claim === 'sid') this.#sid = String(value)
      }
      async payload(): Promise<object> {
        return {}
      }
      issue(): Promise<string> {
        return scene.makeToken(this.#client, this.#sid)
      }
    }
    const Client = { find: async (id: string) => this.clients.get(id), prototype: {} }
    const emit = (event: string, ...args: readonly unknown[]): boolean => {
      this.emitted.push({ event, args })
      return true
    }
    return { issuer: OP, IdToken, Client, emit } as unknown as OidcProvider
  }
}
