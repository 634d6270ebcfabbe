import type { Commit } from '../../lib/index.ts'
import type { DeliveryPolicy } from '../../plugins/back-channel-logout/delivery/delivery-policy.ts'
import type { Dispatcher } from '../../plugins/back-channel-logout/delivery/dispatcher.ts'
import { policyOf } from '../../plugins/back-channel-logout/delivery/policy-options.ts'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'
import type { Network } from '../../plugins/back-channel-logout/network/network.ts'
import { sessionLogoutStream } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { type Behaviour, DispatchScene, hangs, says } from './dispatch-scene.ts'
import { Life } from './life.ts'
import { fold } from './session-log.ts'

export const POLICY: DeliveryPolicy = policyOf({
  retryDelaysMs: [5_000, 20_000, 40_000, 60_000],
  jitter: 0.2,
  timeoutMs: 3_000,
  badRequestDelaysMs: [10_000, 30_000],
  maxRetryAfterMs: 30_000,
  concurrency: 6,
  concurrencyPerClient: 3,
  circuit: { failures: 3, minOpenMs: 5_000, maxOpenMs: 20_000 },
})

/** Two of them behind one origin, until one moves. */
export type Rp = 'shop' | 'mail' | 'news'
export const RPS: readonly Rp[] = ['shop', 'mail', 'news']

export type Origin = 'shared' | 'own'
const ORIGINS: Readonly<Record<Origin, string>> = {
  shared: 'https://shared.example.com',
  own: 'https://own.example.com',
}

export type AnswerName = 'well' | 'gone' | 'bad' | 'missing' | 'broken' | 'busy' | 'shut' | 'unreachable' | 'hangs'

/** What an RP may do. Each status stands for one kind of answer, so that the log tells which it was. */
export const ANSWERS: Readonly<Record<AnswerName, Behaviour>> = {
  well: () => says(200),
  gone: () => says(410),
  bad: () => says(400),
  missing: () => says(404),
  broken: () => says(500),
  busy: () => ({ kind: 'answered', status: 503, body: '', retryAfter: '10' }),
  shut: () => ({ kind: 'answered', status: 429, body: '', retryAfter: '3600' }),
  unreachable: () => ({ kind: 'failed', error: 'ECONNREFUSED' }),
  hangs,
}

export type Act =
  | { readonly kind: 'owe'; readonly rp: Rp; readonly count: number }
  | { readonly kind: 'answer'; readonly rp: Rp; readonly as: AnswerName }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'gate'; readonly on: boolean }
  | { readonly kind: 'jump'; readonly ms: number }
  | { readonly kind: 'move'; readonly rp: Rp; readonly to: Origin }
  | { readonly kind: 'start' }
  | { readonly kind: 'kill'; readonly nth: number; readonly steps: number }
  | { readonly kind: 'stop'; readonly nth: number }

const MOST_PROCESSES = 3

/** The longest that anything may have to wait once all is well: a dead process, a retry, the circuit; and a little. */
const RECOVERY_MS = 15_000 + 72_000 + 20_000 + 13_000

interface Process {
  readonly life: Life
  readonly dispatcher: Dispatcher
}

/** Processes that send what is owed while they are killed, RPs fail, gates close and clocks jump. */
export class Turmoil {
  readonly scene: DispatchScene = new DispatchScene()
  readonly uids: string[] = []
  /** What must never happen, and did. */
  readonly wrongs: string[] = []
  /** What each RP answered, by the sid that it was told. */
  readonly said: Map<string, number[]> = new Map()
  /** How often each sid was sent. */
  readonly posts: Map<string, number> = new Map()
  kills = 0
  /** How often one was sent before its time, since its RP was back. */
  early = 0
  #processes: Process[] = []
  #answers = new Map<string, Behaviour>()
  readonly #jumps: { readonly after: number; readonly ms: number }[] = []
  /** When each sid was sent last, and each RP confirmed last, by the monotonic clock. */
  readonly #sentAt = new Map<string, number>()
  readonly #confirmedAt = new Map<string, number>()

  static async begin(random: number): Promise<Turmoil> {
    const turmoil = new Turmoil()
    turmoil.scene.random = () => random
    turmoil.scene.makeToken = async ({ clientId }, sid) => `${clientId}/${sid}`
    for (const rp of RPS) {
      turmoil.#move(rp, rp === 'news' ? 'own' : 'shared')
      turmoil.#answers.set(rp, ANSWERS.well)
    }
    await turmoil.#start()
    return turmoil
  }

  async happen(act: Act): Promise<void> {
    const { scene } = this
    switch (act.kind) {
      case 'owe':
        this.uids.push(...(await scene.owe(act.rp, act.count)))
        break
      case 'answer':
        this.#answers.set(act.rp, ANSWERS[act.as])
        break
      case 'wait':
        await scene.clock.advance(act.ms)
        break
      case 'gate':
        scene.on = act.on
        break
      case 'jump':
        await scene.clock.advance(0) // what was due a moment ago is not sent too early
        this.#jumps.push({ after: await scene.store.end(), ms: act.ms })
        scene.clock.jumpWall(act.ms)
        break
      case 'move':
        this.#move(act.rp, act.to)
        break
      case 'start':
        if (this.#living.length < MOST_PROCESSES) await this.#start()
        break
      case 'kill':
        this.#nth(act.nth)?.life.endIn(act.steps)
        break
      case 'stop':
        await this.#stop(this.#nth(act.nth))
        break
    }
  }

  /** From now on all is well, and one process goes on, the eldest; until everything must have been told. */
  async calm(): Promise<void> {
    const { scene } = this
    const [eldest, ...others] = this.#living
    for (const { life } of others) life.endIn(0)
    eldest?.life.spare()
    for (const rp of RPS) this.#answers.set(rp, ANSWERS.well)
    scene.on = true
    if (!eldest) await this.#start()
    await scene.clock.advance(RECOVERY_MS)
    this.kills = this.#processes.filter(({ life }) => life.isOver).length
  }

  /** When a commit was made by the clock of the work table, which does not jump. */
  tableTime({ position, at }: Pick<Commit, 'position' | 'at'>): number {
    return this.#jumps.reduce((time, { after, ms }) => (after < position ? time - ms : time), at)
  }

  async end(): Promise<void> {
    for (const { life } of this.#processes) life.endIn(0)
    await this.scene.stop()
  }

  get #living(): Process[] {
    return this.#processes.filter(({ life }) => !life.isOver)
  }

  #nth(n: number): Process | undefined {
    const living = this.#living
    return living[n % Math.max(1, living.length)]
  }

  #move(rp: Rp, to: Origin): void {
    const behaviour: Behaviour = (signal) => (this.#answers.get(rp) ?? hangs)(signal)
    this.scene.client(rp, behaviour, `${ORIGINS[to]}/${rp}`)
  }

  async #start(): Promise<void> {
    const life = new Life()
    const dispatcher = await this.scene.dispatcher({ ...POLICY, clients: {} }, this.scene.clock, (parts) => ({
      ...parts,
      store: life.reaching(parts.store),
      work: life.reaching(parts.work),
      network: this.#watched(parts.network, life),
      random: parts.random,
    }))
    this.#processes.push({ life, dispatcher })
  }

  async #stop(process: Process | undefined): Promise<void> {
    if (!process) return
    const stopping = process.dispatcher.stop()
    await this.scene.clock.advance(12_000)
    if (!process.life.isOver) await stopping
    this.#processes = this.#processes.filter((other) => other !== process)
    if (process.life.isOver) this.#processes.push(process) // it was killed on the way
  }

  #watched(network: Network, life: Life): Network {
    const inFlight = new Map<string, number>()
    const count = (rp: string, by: number): void => void inFlight.set(rp, (inFlight.get(rp) ?? 0) + by)
    return {
      close: () => network.close(),
      post: (url, form, options) =>
        life.act(async () => {
          const [rp = '', sid = ''] = (form['logout_token'] ?? '').split('/')
          count(rp, 1)
          if ((inFlight.get(rp) ?? 0) > POLICY.concurrencyPerClient) this.wrongs.push(`too many at once to ${rp}`)
          const all = [...inFlight.values()].reduce((sum, some) => sum + some, 0)
          if (all > POLICY.concurrency) this.wrongs.push('too many at once')
          await this.#watch(rp, sid)
          const answer = await network.post(url, form, options)
          this.#heard(rp, sid, answer)
          count(rp, -1)
          return answer
        }),
    }
  }

  /** Just before a token is sent: may it be? */
  async #watch(rp: string, sid: string): Promise<void> {
    const { scene } = this
    const wasOn = scene.on
    const uid = sid.replace('sid', 'session')
    this.posts.set(uid, (this.posts.get(uid) ?? 0) + 1)
    const [state] = fold(uid, await scene.store.read(sessionLogoutStream(uid))).deliveries.values()
    if (state?.kind !== 'pending') this.wrongs.push(`${uid} was sent when it was ${state?.kind}`)
    else if ((state.lastFailure?.next_attempt_at ?? 0) > (await scene.store.work('deliveries').time())) {
      const [sentAt, confirmedAt] = [this.#sentAt.get(sid) ?? 0, this.#confirmedAt.get(rp) ?? -1]
      if (confirmedAt < sentAt) this.wrongs.push(`${uid} was sent too early`)
      else this.early += 1
    }
    this.#sentAt.set(sid, scene.clock.monotonic())
    if (!wasOn) this.wrongs.push(`${uid} was sent while the gate was shut`)
  }

  #heard(rp: string, sid: string, answer: Answer): void {
    if (answer.kind === 'answered' && answer.status === 200) this.#confirmedAt.set(rp, this.scene.clock.monotonic())
    const uid = sid.replace('sid', 'session')
    this.said.set(uid, [...(this.said.get(uid) ?? []), answer.kind === 'answered' ? answer.status : 0])
  }
}
