import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventSourced, eventSourced, KeyRing, type Keys, type Payload, silent } from '../../lib/index.ts'
import { signOutEvent } from '../../lib/provider/sign-outs.ts'
import { rekeyLog } from '../../lib/rekey/rekey.ts'
import { LogRetention } from '../../lib/retention/retention.ts'
import { retentionPolicy } from '../../lib/retention/retention-options.ts'
import { FakeContext, keysNamed } from '../contract/provider-adapter/adapter-under-test.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { SteeredStore } from '../support/steered-store.ts'
import { type Played, ScheduleFailed } from './played.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

const MODELS = [
  'AccessToken',
  'RefreshToken',
  'Interaction',
  'DeviceCode',
  'Grant',
  'Thing',
  'BackchannelAuthenticationRequest',
  'PushedAuthorizationRequest',
] as const
type Model = (typeof MODELS)[number]

const CONSUMED = [
  'RefreshToken',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PushedAuthorizationRequest',
] as const

const IDS = ['one', 'two'] as const
const ISSUER = 'https://op.example.com'

/** What another adapter holds, under an id that nothing is stored under here but by passes of moving in. */
const ELSEWHERE = 'elsewhere'
const MOVED = ['AccessToken', 'RefreshToken', 'Grant', 'Thing'] as const
const UIDS = ['u1', 'u2'] as const

export type Step =
  | {
      readonly kind: 'upsert'
      readonly model: Model
      readonly id: string
      readonly hours: number
      readonly blind: boolean
    }
  | { readonly kind: 'consume' | 'destroy'; readonly model: Model; readonly id: string }
  | { readonly kind: 'revoke'; readonly grantId: string }
  | {
      readonly kind: 'session'
      readonly uid: string
      readonly rotate: boolean
      readonly hours: number
      readonly sid: number
    }
  | { readonly kind: 'end'; readonly uid: string }
  /** Somebody types in who he is; or the provider goes on with that. */
  | { readonly kind: 'login' | 'resume'; readonly id: string }
  /** Everybody's account, or one, is signed out. */
  | { readonly kind: 'sign-out'; readonly everybody: boolean }
  | { readonly kind: 'forget' }
  /** The other adapter stores something. */
  | { readonly kind: 'elsewhere'; readonly model: (typeof MOVED)[number]; readonly hours: number }
  /** A pass of moving in. */
  | { readonly kind: 'pass' }
  | { readonly kind: 'wait'; readonly hours: number }
  | { readonly kind: 'retention' }
  /** New keys, and a rekey; somebody may store something while it runs. */
  | {
      readonly kind: 'rekey'
      readonly meanwhile: { readonly model: Model; readonly id: string } | undefined
      /** Whether the former keys are taken out after it. */
      readonly removes?: boolean
    }

const model = fc.constantFrom(...MODELS)
const id = fc.constantFrom(...IDS)
const anyId = fc.constantFrom(...IDS, ELSEWHERE)
const uid = fc.constantFrom(...UIDS)
const hours = fc.constantFrom(1, 30, 24 * 40)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('upsert'), model, id, hours, blind: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('upsert'),
      model: fc.constant('Grant'),
      id,
      hours,
      blind: fc.constant(false),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('destroy'), model, id: anyId }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('consume'), model: fc.constantFrom(...CONSUMED), id: anyId }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('revoke'), grantId: anyId }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('login', 'resume'), id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sign-out'), everybody: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('elsewhere'), model: fc.constantFrom(...MOVED), hours }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass') }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('session'), uid, rotate: fc.boolean(), hours, sid: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end'), uid }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget') }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait'), hours: fc.constantFrom(1, 3, 25, 25, 24 * 33) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('retention') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('rekey'),
      meanwhile: fc.option(fc.record({ model, id }), { nil: undefined }),
      removes: fc.boolean(),
    }),
  },
)

/** What people do, how time passes, and when retention runs. */
export const life: fc.Arbitrary<readonly Step[]> = fc.array(step, { minLength: 20, maxLength: 60, size: 'max' })

/**
 * Lives one life at two OPs, one of which removes what it does not need. Whatever is done comes to the same, and so is
 * whatever is found, but for what has expired.
 *
 * @param trace - is told each step
 * @returns how many commits were removed
 */
export async function liveTwice(steps: readonly Step[], trace: string[] = []): Promise<number> {
  const clock = new FakeClock()
  const [kept, reduced] = [new Side(clock), new Side(clock)]
  let removed = 0
  for (const one of steps) {
    trace.push(JSON.stringify(one))
    if (one.kind === 'wait') removed += await wait(clock, one.hours, reduced)
    else if (one.kind === 'retention') removed += await reduced.retain()
    else if (one.kind === 'rekey') for (const side of [kept, reduced]) await side.rekey(one)
    else {
      const [a, b] = [await kept.play(one), await reduced.play(one)]
      assert.equal(b, a, JSON.stringify(one))
    }
    await same(kept, reduced, clock)
  }
  await Promise.all([kept.store.close(), reduced.store.close()])
  return removed
}

/**
 * The life of a seed.
 *
 * @throws ScheduleFailed with its steps, up to the first after which something is answered otherwise
 */
export async function playRetention(seed: number): Promise<Played> {
  const [steps = []] = fc.sample(life, { seed, numRuns: 1 })
  const trace: string[] = []
  try {
    const removed = await liveTwice(steps, trace)
    return { trace, counts: { lives: 1, steps: steps.length, removed } }
  } catch (error) {
    throw new ScheduleFailed(seed, trace, error)
  }
}

/** Retention looks at the log from time to time, so that it knows how old it is. */
async function wait(clock: FakeClock, most: number, side: Side): Promise<number> {
  let removed = 0
  for (const part of most > 24 ? [0.4, 0.3, 0.3] : [1]) {
    await clock.advance(most * part * HOUR)
    removed += await side.retain()
  }
  return removed
}

/** What has expired need not be there any more; nobody takes it, whatever else became of it. */
async function same(kept: Side, reduced: Side, clock: FakeClock): Promise<void> {
  const standing = (payload: Payload | undefined): Payload | undefined => {
    const exp = payload?.['exp']
    return typeof exp === 'number' && exp * 1_000 <= clock.now() ? undefined : payload
  }
  const [wanted, found] = [await kept.all(), await reduced.all()]
  for (const [name, payload] of wanted) assert.deepEqual(standing(found.get(name)), standing(payload), name)
}

/**
 * User codes are drawn at random: no two device codes share one. Where a fault is planted they do, since more goes by the
 * code then; it is asked for fixed seeds, of which none breaks an invariant without a fault.
 */
function codeOf(id: string): string {
  return process.env['MUTANT'] === undefined ? `code-${id}` : 'code-0'
}

/** So often keys are rotated; each look-up goes by all of them. */
const MOST_ROTATIONS = 3

function keysOf(rotations: number): Keys {
  const ids = (kind: string) => Array.from({ length: rotations + 1 }, (_, n) => `${kind}${rotations - n}`)
  return keysNamed(ids('s'), ids('h'))
}

/** A log whose keys are rotated while it is open. */
class Rotating extends MemoryEventStore {
  #rotations = 0
  #removed = 0

  rotate(): void {
    if (this.#rotations === MOST_ROTATIONS) return
    this.#rotations += 1
    this.#useKeys()
  }

  /** Takes all keys out but the newest. */
  removeFormer(): void {
    this.#removed = this.#rotations
    this.#useKeys()
  }

  #useKeys(): void {
    const { sealing, hashing } = keysOf(this.#rotations)
    const left = this.#rotations - this.#removed + 1
    ;(this as { keys: KeyRing }).keys = new KeyRing({
      sealing: sealing.slice(0, left),
      hashing: hashing.slice(0, left),
    })
  }
}

/** An OP on a log of its own. */
class Side {
  readonly store: Rotating
  readonly #op: EventSourced
  readonly #retention: LogRetention
  readonly #clock: FakeClock
  #middleware: ((ctx: FakeContext, next: () => Promise<unknown>) => Promise<void>) | undefined
  readonly #jti = new Map<string, string>()
  readonly #expiries = new Map<string, number>()
  /** What another adapter holds. */
  readonly #elsewhere = new Map<string, Payload>()
  /** When an instance last ended, milliseconds since 1970. */
  readonly #endedAt = new Map<string, number>()
  #n = 0

  constructor(clock: FakeClock) {
    this.#clock = clock
    this.store = new Rotating({ keys: keysOf(0), clock })
    this.#op = eventSourced(this.store, { clock, logger: silent, retention: false })
    this.#retention = new LogRetention({
      store: this.store,
      clock,
      logger: silent,
      policy: retentionPolicy({ statesMs: DAY }),
      rules: [],
    })
    void this.#op.start({
      issuer: ISSUER,
      use: (one: never) => {
        this.#middleware = one
      },
      Client: { find: async () => undefined, adapter: this.#op.adapter('Client') },
      Session: class {},
    } as never)
  }

  async retain(): Promise<number> {
    return (await this.#retention.run()).commits
  }

  async rekey({ meanwhile, removes }: Extract<Step, { kind: 'rekey' }>): Promise<void> {
    this.store.rotate()
    const rekeying = new SteeredStore(this.store)
    let isLeft = meanwhile !== undefined
    const store = async (): Promise<void> => {
      if (!isLeft || !meanwhile) return
      isLeft = false
      await this.play({ kind: 'upsert', ...meanwhile, hours: 30, blind: false })
    }
    rekeying.beforeAppend = store
    await rekeyLog({ store: rekeying, clock: this.#clock })
    await store()
    if (removes) this.store.removeFormer()
  }

  /** What came of it: nothing, or the name of an error. */
  async play(step: Exclude<Step, { kind: 'wait' | 'retention' | 'rekey' }>): Promise<string> {
    this.#n += 1
    const exp = (hours: number): number => Math.floor(this.#clock.now() / 1_000) + hours * 3_600
    const adapter = this.#op.adapter
    switch (step.kind) {
      case 'upsert': {
        const { model, id, hours, blind } = step
        const lasting = model === 'Thing'
        // The provider makes the other ids itself: one that has expired is never stored again.
        const known = this.#expiries.get(`${model} ${id}`)
        if (!lasting && model !== 'Grant' && known !== undefined && known * 1_000 <= this.#clock.now()) return ''
        // Nor is one that has ended by whoever has not seen that, later than a day after it: retention counts on that.
        const endedAt = this.#endedAt.get(`${model} ${id}`)
        if (!lasting && blind && endedAt !== undefined && endedAt + DAY <= this.#clock.now()) return ''
        const payload: Payload = {
          n: this.#n,
          kind: model,
          jti: id,
          ...(!lasting && { exp: exp(hours) }),
          ...(!['Interaction', 'Grant', 'Thing'].includes(model) && { grantId: IDS[this.#n % 2] }),
          ...(model === 'DeviceCode' && { userCode: codeOf(id) }),
        }
        return this.#request(async () => {
          const { grantId } = payload
          // The provider issues nothing under a grant that is not there.
          const grant = typeof grantId === 'string' ? await adapter('Grant').find(grantId) : {}
          if (!grant || this.#isExpired(grant)) return
          // An interaction is stored again by who has read it.
          if (!blind || model === 'Interaction') await adapter(model).find(id)
          await adapter(model).upsert(id, payload, hours * 3_600)
          this.#expiries.set(`${model} ${id}`, exp(hours)) // of what was stored: not every wish is
        })
      }
      case 'consume':
        return this.#request(async () => {
          const found = await adapter(step.model).find(step.id)
          if (found && !this.#isExpired(found) && found['consumed'] === undefined)
            await adapter(step.model).consume(step.id)
        })
      case 'destroy':
        return this.#request(async () => {
          const found = await adapter(step.model).find(step.id)
          if (!found || this.#isExpired(found)) return
          await adapter(step.model).destroy(step.id)
          this.#endedAt.set(`${step.model} ${step.id}`, this.#clock.now())
        })
      case 'revoke':
        return this.#request(async () => {
          // What was never taken is revoked where it is.
          if (step.grantId === ELSEWHERE && !(await adapter('Grant').find(ELSEWHERE))) return
          for (const one of ['AccessToken', 'RefreshToken', 'AuthorizationCode', 'DeviceCode'])
            await adapter(one).revokeByGrantId(step.grantId)
        })
      case 'login':
        return this.#request(async () => {
          const found = await adapter('Interaction').find(step.id)
          if (!found || this.#isExpired(found)) return
          await adapter('Interaction').upsert(step.id, { ...found, result: { login: { accountId: 'alice' } } }, 0)
        })
      case 'resume': {
        let login = ''
        const answer = await this.#request(async () => {
          const found = await adapter('Interaction').find(step.id)
          if (!found || this.#isExpired(found)) return
          login = JSON.stringify(found['result'] ?? null)
          if (login !== 'null') await adapter('Interaction').destroy(step.id)
        }, 'resume')
        return answer + login
      }
      case 'sign-out':
        await this.store.append({
          events: [signOutEvent(this.store, ISSUER, step.everybody ? undefined : 'alice', { reason: 'admin' }, false)],
          meta: { instance: ISSUER },
        })
        return ''
      case 'forget':
        return JSON.stringify(await this.#op.forget('alice', { actor: 'somebody', settleMs: 0 }))
      case 'elsewhere': {
        const { model, hours } = step
        const grant = this.#elsewhere.get('Grant')
        const isToken = model !== 'Grant' && model !== 'Thing'
        // Once each, and nothing outlives the grant that it is issued under: a pass that comes later than that takes nothing.
        if (this.#elsewhere.has(model) || (isToken && !grant)) return ''
        const payload: Payload = {
          ...{ n: this.#n, kind: model, jti: ELSEWHERE },
          ...(model !== 'Thing' && { exp: Math.min(exp(hours), isToken ? Number(grant?.['exp']) : Infinity) }),
          ...(isToken && { grantId: ELSEWHERE }),
        }
        this.#elsewhere.set(model, payload)
        return ''
      }
      case 'pass': {
        const outcomes: string[] = []
        for (const [model, payload] of this.#elsewhere)
          if (!this.#isExpired(payload)) outcomes.push(await this.#op.mover.take(model, ELSEWHERE, payload))
        return outcomes.join()
      }
      case 'session': {
        const before = this.#jti.get(step.uid)
        return this.#request(async () => {
          const found = before === undefined ? undefined : await adapter('Session').find(before)
          if (before !== undefined && (!found || this.#isExpired(found))) return
          const jti = before === undefined || step.rotate ? `jti-${step.uid}-${this.#n}` : before
          const logins = {
            ...(found?.['authorizations'] as object),
            [`rp-${step.sid}`]: { sid: `sid-${step.uid}-${step.sid}` },
          }
          if (before !== undefined && jti !== before) await adapter('Session').destroy(before)
          const payload = { jti, uid: step.uid, accountId: 'alice', authorizations: logins, exp: exp(step.hours) }
          await adapter('Session').upsert(jti, payload, step.hours * 3_600)
          this.#jti.set(step.uid, jti)
        })
      }
      case 'end': {
        const jti = this.#jti.get(step.uid)
        return this.#request(async () => {
          if (jti === undefined || !(await adapter('Session').find(jti))) return
          await adapter('Session').destroy(jti)
        })
      }
    }
  }

  /** Everything that anybody may ask for. */
  async all(): Promise<Map<string, Payload | undefined>> {
    const found = new Map<string, Payload | undefined>()
    const { adapter } = this.#op
    for (const model of MODELS)
      for (const id of [...IDS, ELSEWHERE]) found.set(`${model} ${id}`, await adapter(model).find(id))
    for (const id of IDS) found.set(`user code of ${id}`, await adapter('DeviceCode').findByUserCode(codeOf(id)))
    for (const uid of UIDS) {
      found.set(`uid ${uid}`, await adapter('Session').findByUid(uid))
      const jti = this.#jti.get(uid)
      if (jti !== undefined) found.set(`session of ${uid}`, await adapter('Session').find(jti))
      for (const n of [0, 1, 2]) found.set(`sid ${uid} ${n}`, await this.#heldBySid(`sid-${uid}-${n}`))
    }
    return found
  }

  /** The session that lives and holds the login with this sid, found by it. */
  async #heldBySid(sid: string): Promise<Payload | undefined> {
    const [newest] = await this.store.readStreams(this.store.keys.streams('sid', sid), {
      direction: 'backwards',
      limit: 1,
    })
    for (const uid of UIDS) {
      const names = this.store.keys.streams('uid', uid)
      if (!newest?.events.some(({ also }) => names.some((name) => also?.includes(name)))) continue
      const session = await this.#op.adapter('Session').findByUid(uid)
      const logins = Object.values((session?.['authorizations'] ?? {}) as Record<string, { sid: string }>)
      return logins.some((login) => login.sid === sid) ? session : undefined
    }
    return undefined
  }

  #isExpired(payload: Payload): boolean {
    return typeof payload['exp'] === 'number' && payload['exp'] * 1_000 <= this.#clock.now()
  }

  async #request(work: () => Promise<void>, route = 'token'): Promise<string> {
    const ctx = new FakeContext()
    ;(ctx.oidc as { route?: string }).route = route
    try {
      await this.#middleware?.(ctx, work)
    } catch (error) {
      return (error as Error).name
    }
    return ctx.status === 404 ? '' : String(ctx.status)
  }
}
