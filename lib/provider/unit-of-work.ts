import { isDeepStrictEqual } from 'node:util'
import {
  AlreadyClaimedError,
  ConcurrencyError,
  OutcomeUnknownError,
  SessionChangedError,
  StoreUnavailableError,
} from '../errors.ts'
import { fullJitter } from '../full-jitter.ts'
import { type Appended, type Claim, isIn, type Meta, type NewCommit, type NewEvent } from '../log/commit.ts'
import { LATEST_TIME } from '../log/prepare.ts'
import type { LocatedEvent, ModelRecord } from './model-record.ts'
import type { ModelState } from './model-state.ts'
import { ModelWrites } from './model-writes.ts'
import type { Payload } from './models.ts'
import { type IsThere, isEarlier, type TakenOver, writerOf } from './moved-state.ts'
import { ResumedLogin } from './resumed-login.ts'
import { SessionWrites } from './session-writes.ts'
import { viewOf } from './staged-write.ts'
import type { UnitContext } from './unit-context.ts'
import { isResume, type UnitOrigin } from './unit-origin.ts'

/** A unit that loses this many races in a row gives up: the request is repeated. */
const MAX_TRIES = 32

/** The pauses after lost races. */
const PAUSE = { firstMs: 2, mostMs: 100 }

/** What the issuer of something that is taken over had seen of its grant in this log. */
const NOTHING_SEEN = { generation: 0, revocations: 0 }

const isAlwaysThere: IsThere = async () => true

/** How long after the first one a form may be submitted again, in milliseconds. */
const SUBMITTED_AGAIN_MS = 60_000

/**
 * What one request of the provider reads and writes. Writes are staged, laid over what the request reads, and appended as
 * one commit.
 *
 * Writes of sessions can lose a race that is worth another try: the session is rebased on the newer state, and the commit is
 * built again. A client is stored over the newer state, unless it was decided on the one before. Whatever cannot be
 * reconciled is thrown, and then nothing has happened.
 */
export class UnitOfWork {
  readonly #context: UnitContext
  readonly #origin: UnitOrigin
  readonly #models: ModelWrites
  readonly #heads = new Map<string, Promise<ModelState | undefined>>()
  readonly #sessions: SessionWrites
  readonly #login: ResumedLogin
  readonly #events: NewEvent[] = []
  readonly #once: string[] = []
  #repeatsSubmit = false

  constructor(given: UnitContext, origin: UnitOrigin) {
    const context = { ...given, log: given.log.atOneMoment() }
    this.#context = context
    this.#origin = origin
    this.#models = new ModelWrites(context, origin)
    this.#sessions = new SessionWrites(context, origin)
    this.#login = new ResumedLogin(context)
  }

  async find(model: string, id: string): Promise<Payload | undefined> {
    if (model === 'Session') {
      const written = this.#sessions.writtenAs(id)
      if (written) return copyOf(written.payload)
    }
    const payload = copyOf(await this.#payloadOf(model, id))
    if (!payload || model !== 'Interaction' || !isResume(this.#origin)) return payload
    return this.#login.resume(payload, (await this.#models.record(model, id)).began)
  }

  async #payloadOf(model: string, id: string): Promise<Payload | undefined> {
    const write = this.#models.staged(model, id)
    if (write) return (await this.#models.isRevoked(write)) ? undefined : viewOf(write)
    const state = await this.#context.log.open(model, this.#asSubmitted(model, await this.#models.record(model, id)))
    if (state && model === 'Session') this.#sessions.read(state)
    return state && ((await this.#models.isRevoked(state)) ? undefined : state.payload)
  }

  /**
   * A form that is submitted twice meets, the second time, what the first one has ended: a session that was logged out of,
   * an interaction that the provider has gone on with. For a moment it is found as the form was made for it, so that the
   * second answer, which is the one that the browser shows, is the same.
   */
  #asSubmitted(model: string, record: ModelRecord): ModelRecord {
    const { ended, stored } = record
    if (stored || !ended || this.#context.clock.now() - ended.end.commit.at > SUBMITTED_AGAIN_MS) return record
    const route = this.#origin.kind === 'request' ? this.#origin.request.oidc?.route : undefined
    if (model === 'Session' && route === 'end_session_confirm') {
      // One that has rotated goes on: the commit finds out whether that was what this form asks for.
      this.#repeatsSubmit = !isRotation(ended.end)
      return { ...record, stored: ended.stored }
    }
    const isForm = this.#origin.kind === 'application' || route === 'submit'
    const isDone = model === 'Interaction' && ended.end.event.data['resumed'] === true
    return isForm && isDone ? { ...record, stored: ended.stored } : record
  }

  /** Whether the request asked for what an earlier one had done: nothing is appended, and its answer is the same. */
  get repeatsSubmit(): boolean {
    return this.#repeatsSubmit
  }

  async findSession(uid: string): Promise<Payload | undefined> {
    const written = this.#sessions.writtenUnder(uid)
    if (written) return copyOf(written.payload)
    return copyOf((await this.readSession(this.#context.log.store.keys.streams('uid', uid)))?.payload)
  }

  /**
   * The session as the log has it. What this unit makes of it follows the state returned here.
   *
   * @param names - the streams of its uid
   */
  async readSession(names: readonly string[]): Promise<ModelState | undefined> {
    const key = names.join(' ')
    let reading = this.#heads.get(key)
    if (!reading) {
      reading = this.#context.log
        .findSessionUnder(names)
        .then((head) => (head && 'state' in head ? head.state : undefined))
      this.#heads.set(key, reading)
    }
    const state = await reading
    if (state) this.#sessions.read(state)
    return state
  }

  /**
   * Ends a session that this unit has read.
   *
   * @param endsToo - whether a newer state is to end as well
   */
  endSession(state: ModelState, endsToo: (newest: ModelState) => boolean): void {
    this.#sessions.endState(state, endsToo)
  }

  /** Writes a session that this unit has read, without a client's authorization. */
  removeAuthorization({ payload }: ModelState, clientId: string): void {
    const left = Object.entries((payload['authorizations'] ?? {}) as Payload).filter(([client]) => client !== clientId)
    this.#sessions.write(String(payload['jti']), { ...payload, authorizations: Object.fromEntries(left) })
  }

  /**
   * Ends a grant and what was issued under it, which may be there without it. Nothing of it need be readable.
   *
   * @returns whether it lived: one that had been revoked before, or was never stored, is ended all the same
   */
  async revoke(grantId: string): Promise<boolean> {
    const { stored } = await this.#models.record('Grant', grantId)
    await this.destroy('Grant', grantId)
    return stored !== undefined
  }

  /** Reads a model anew: the same request has written it in a commit of its own. */
  forget(model: string): void {
    this.#context.log.lookAgain()
    this.#models.forget(model)
    if (model === 'Session') this.#heads.clear()
  }

  /** Whether the unit has read this instance. */
  hasRead(model: string, id: string): boolean {
    return this.#models.hasRead(model, id)
  }

  async findDeviceCode(userCode: string): Promise<Payload | undefined> {
    const write = this.#models.stagedDeviceCode(userCode)
    if (write) return (await this.#models.isRevoked(write)) ? undefined : copyOf(viewOf(write))
    const { id, record } = await this.#context.log.findDeviceCode(userCode)
    if (!record.stored) return undefined
    this.#models.remember('DeviceCode', id, record)
    return this.find('DeviceCode', id)
  }

  /** @throws UnitClosed: nothing was staged */
  async upsert(model: string, id: string, given: Payload): Promise<void> {
    const payload = asStored(given)
    if (model !== 'Session') return this.#models.upsert(model, id, payload)
    this.#models.assertOpen()
    this.#sessions.write(id, payload)
  }

  /**
   * Stages a state of a client, if the stored one is still `before`. The commit is refused with ConcurrencyError where
   * another one has followed that state meanwhile.
   *
   * @returns false: it is another one, or there is none; nothing was staged
   * @throws UnitClosed: nothing was staged
   */
  async replace(model: string, id: string, before: Payload, given: Payload): Promise<boolean> {
    if (!isDeepStrictEqual(await this.find(model, id), before)) return false
    await this.#models.upsert(model, id, asStored(given), true)
    return true
  }

  /**
   * Stages a state of another adapter, unless it is there already or the OP itself has written the instance.
   *
   * @returns `stored`: it was staged
   */
  async takeOver(model: string, id: string, given: Payload, isThere?: IsThere): Promise<TakenOver> {
    const payload = asStored(given)
    if (model === 'Session') return this.#takeOverSession(id, payload, isThere)
    const record = await this.#models.record(model, id)
    const writer = writerOf(record)
    if (writer === 'op') return 'kept'
    if (await this.#models.isRevoked({ model, payload, grantSeen: NOTHING_SEEN })) return 'kept'
    const state = await this.#context.log.open(model, record)
    // What was used up stays used up.
    const wanted =
      state?.consumed !== undefined && !payload['consumed'] ? { ...payload, consumed: state.consumed } : payload
    if (state && isDeepStrictEqual(state.payload, wanted)) return 'same'
    await this.#models.upsert(model, id, wanted)
    return 'stored'
  }

  async #takeOverSession(id: string, payload: Payload, isThere: IsThere = isAlwaysThere): Promise<TakenOver> {
    const head = await this.#context.log.findSession(String(payload['uid']))
    if (head) {
      if ('ended' in head || !head.state.moved) return 'kept'
      if (isDeepStrictEqual(head.state.payload, payload)) return 'same'
      if (isEarlier(id, payload, head.state) && (await isThere(String(head.state.payload['jti'])))) return 'older'
      this.#sessions.read(head.state)
    }
    this.#models.assertOpen()
    this.#sessions.write(id, payload)
    return 'stored'
  }

  /**
   * Stages the end of what was taken over, if nobody else has written it since.
   *
   * @returns `stored`: it was staged
   */
  async endTakenOver(model: string, id: string): Promise<TakenOver> {
    const record = await this.#models.record(model, id)
    if (!record.stored) return 'same'
    if (writerOf(record) !== 'mover') return 'kept'
    await this.destroy(model, id)
    return 'stored'
  }

  /** @throws UnitClosed: nothing was staged */
  consume(model: string, id: string): Promise<void> {
    return this.#models.consume(model, id)
  }

  /** @throws UnitClosed: nothing was staged */
  destroy(model: string, id: string): Promise<void> {
    return model === 'Session' ? this.#destroySession(id) : this.#models.destroy(model, id)
  }

  async #destroySession(id: string): Promise<void> {
    const state = await this.#context.log.open('Session', await this.#models.record('Session', id))
    if (state) this.#sessions.read(state)
    // Termination is by uid: a cookie value that has rotated still names its session to application code.
    const rotated = !state && this.#origin.kind === 'application' ? await this.#context.log.findRotated(id) : undefined
    this.#models.assertOpen()
    if (rotated) this.#sessions.endRotated(rotated)
    else this.#sessions.end(id)
  }

  /**
   * Revokes what was issued under the grant, of one model: the provider calls this once for each.
   *
   * @throws UnitClosed: nothing was staged
   */
  revokeGranted(model: string, grantId: string): Promise<void> {
    return this.#models.revokeGranted(model, grantId)
  }

  /** Adds events to the commit. */
  record(events: readonly NewEvent[]): void {
    this.#events.push(...events)
  }

  /** Has only one commit ever hold these marks: the others are refused with AlreadyClaimedError. */
  claimOnce(marks: readonly string[]): void {
    this.#once.push(...marks)
  }

  /** Whether it ends or revokes something: then it is committed even when the request ends in an error. */
  get isDestructive(): boolean {
    return this.#models.isDestructive || this.#sessions.endsOne
  }

  /**
   * Appends what was staged. Undefined: there was nothing. From the call on nothing can be staged.
   *
   * @throws AlreadyClaimedError for what another request has used up, SessionChangedError when the request must be
   *   repeated, and whatever the store throws
   */
  async commit(): Promise<Appended | undefined> {
    this.#models.close()
    const appended = await this.#append()
    if (appended) await this.#login.endIfSignedOut(this.#sessions.newLogin())
    return appended
  }

  async #append(): Promise<Appended | undefined> {
    if (this.#repeatsSubmit) return undefined
    const { writeTurns, clock, log } = this.#context
    const turn = await writeTurns.enter([...this.#sessions.uids(), ...this.#models.linearStreams()], clock)
    try {
      for (let tries = 1; ; tries++) {
        this.#repeatsSubmit = this.#sessions.buildOn(turn)
        if (this.#repeatsSubmit) return undefined
        const commit = await this.#build()
        if (!commit) return undefined
        try {
          const appended = await log.store.append(commit)
          this.#sessions.committed(appended, turn)
          for (const observer of this.#context.observers) observer.committed?.(appended, commit.events)
          return appended
        } catch (error) {
          if (!(error instanceof ConcurrencyError)) throw error
          const { stream } = error
          const isSession = this.#sessions.writes(stream)
          if (!isSession && !this.#models.mayCatchUp(stream)) throw error
          if (tries >= MAX_TRIES) throw isSession ? new SessionChangedError('it is written all the time') : error
          await clock.sleep(fullJitter(tries, PAUSE))
          if (!isSession) await this.#models.catchUp(stream)
          else this.#repeatsSubmit = await this.#sessions.catchUp(stream)
          if (this.#repeatsSubmit) return undefined
        }
      }
    } catch (error) {
      if (error instanceof StoreUnavailableError || error instanceof OutcomeUnknownError) turn.fail()
      throw error
    } finally {
      turn.leave()
    }
  }

  /** Drops what was staged. What arrives from now on is a commit of its own. */
  drop(): void {
    this.#models.close()
  }

  /**
   * Appends the shown proofs alone, after the commit failed: a proof that was shown is used up, also by a request that
   * lost a race.
   */
  async commitProofs(): Promise<void> {
    for (const proof of await this.#models.proofs()) {
      try {
        await this.#context.log.store.append({ ...proof, meta: this.#context.meta })
      } catch (error) {
        if (!(error instanceof AlreadyClaimedError)) throw error
      }
    }
  }

  /** The model whose once-only mark or proof this is, when this unit wanted it. */
  modelOf(mark: string): string | undefined {
    return this.#models.modelOf(mark)
  }

  async #build(): Promise<NewCommit | undefined> {
    const models = await this.#models.build()
    const sessions = await this.#sessions.build()
    const events = [...models.events, ...sessions.events, ...this.#events]
    if (events.length === 0) return undefined
    const once = this.#once.map((mark): Claim => ({ kind: 'once', mark }))
    const expiresAt = latestExpiry([...models.expiry, ...sessions.expiry])
    return {
      events,
      claims: [...models.claims, ...sessions.claims, ...once],
      meta: this.#meta,
      ...(expiresAt !== undefined && { expiresAt }),
    }
  }

  get #meta(): Meta {
    const { meta } = this.#context
    const actor = this.#origin.kind === 'ending' ? this.#origin.cause.actor : undefined
    return actor === undefined ? meta : { ...meta, actor }
  }
}

/** Whether a session went on under another cookie value in the commit that ended this one. */
function isRotation({ commit, event }: LocatedEvent): boolean {
  const uids = event.also?.filter((name) => name.startsWith('uid:')) ?? []
  return commit.events.some((other) => other.type === 'stored' && uids.some((uid) => isIn(other, uid)))
}

/** What a model instance is made of belongs to it: the provider changes it in place. What was read must stay as it was. */
function copyOf(payload: Payload | undefined): Payload | undefined {
  return payload && structuredClone(payload)
}

/** The payload as a later read returns it. A copy: the provider changes its own. */
function asStored(payload: Payload): Payload {
  return JSON.parse(JSON.stringify(payload)) as Payload
}

/** When the last of the stored states expires, in milliseconds since 1970. Undefined: one of them never does. */
function latestExpiry(expiries: readonly unknown[]): number | undefined {
  if (expiries.length === 0 || expiries.some((exp) => typeof exp !== 'number')) return undefined
  const latest = Math.max(...expiries.map(Number)) * 1000
  return latest <= LATEST_TIME ? latest : undefined
}
