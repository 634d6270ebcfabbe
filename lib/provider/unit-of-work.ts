import {
  AlreadyClaimedError,
  ConcurrencyError,
  KeyUnknownError,
  OutcomeUnknownError,
  SealBrokenError,
  SessionChangedError,
  StoreUnavailableError,
} from '../errors.ts'
import { type Appended, type Claim, isIn, type Meta, type NewCommit, type NewEvent } from '../log/commit.ts'
import { type GrantSeen, isRevoked, type LocatedEvent, type ModelRecord } from './model-record.ts'
import type { ModelState } from './model-state.ts'
import { hasGivenIds, type Payload } from './models.ts'
import { SessionWrites } from './session-writes.ts'
import { newestSignOut, type SignOut } from './sign-outs.ts'
import {
  claimsOf,
  endEvent,
  eventsOf,
  grantIdOf,
  indexedByOf,
  namesOf,
  revokedEvent,
  type StagedWrite,
  viewOf,
} from './staged-write.ts'
import type { UnitContext } from './unit-context.ts'
import { isDecidedOnRead, type UnitOrigin } from './unit-origin.ts'

/** A unit that loses this many races in a row gives up: the request is repeated. */
const MAX_TRIES = 32

/** The longest pause after a lost race, in milliseconds. */
const MAX_PAUSE_MS = 100

/**
 * After so many revocations under one grant the next one ends the grant, and the user consents again: each look-up of a
 * token reads all revocations of its grant.
 */
const MAX_REVOCATIONS = 100

/** How long after the first one a form may be submitted again, in milliseconds. */
const SUBMITTED_AGAIN_MS = 60_000

/** Thrown when a write arrives after the unit has begun to commit: it must be a commit of its own. */
export class UnitClosed extends Error {}

/**
 * What one request of the provider reads and writes. Writes are staged, laid over what the request reads, and appended as
 * one commit.
 *
 * Only writes of sessions can lose a race that is worth another try: the session is rebased on the newer state, and the
 * commit is built again. Whatever cannot be reconciled is thrown, and then nothing has happened.
 */
export class UnitOfWork {
  readonly #context: UnitContext
  readonly #origin: UnitOrigin
  readonly #records = new Map<string, Promise<ModelRecord>>()
  readonly #heads = new Map<string, Promise<ModelState | undefined>>()
  readonly #writes = new Map<string, StagedWrite>()
  readonly #sessions: SessionWrites
  /** The models that the unit revokes, by grant. */
  readonly #revocations = new Map<string, Set<string>>()
  readonly #events: NewEvent[] = []
  readonly #once: string[] = []
  /** Where the interaction began whose login this request resumes. */
  #loginBegan: number | undefined
  #closed = false
  #repeatsSubmit = false

  constructor(context: UnitContext, origin: UnitOrigin) {
    this.#context = context
    this.#origin = origin
    this.#sessions = new SessionWrites(context, origin)
  }

  async find(model: string, id: string): Promise<Payload | undefined> {
    if (model === 'Session') {
      const written = this.#sessions.writtenAs(id)
      if (written) return copyOf(written.payload)
    }
    const payload = copyOf(await this.#payloadOf(model, id))
    return model === 'Interaction' && payload ? this.#withoutEndedLogin(id, payload) : payload
  }

  async #payloadOf(model: string, id: string): Promise<Payload | undefined> {
    const write = this.#writes.get(this.#key(model, id))
    if (write) return (await this.#isRevoked(write)) ? undefined : viewOf(write)
    const state = this.#context.log.open(model, this.#asSubmitted(model, await this.#record(model, id)))
    if (state && model === 'Session') this.#sessions.read(state)
    return state && ((await this.#isRevoked(state)) ? undefined : state.payload)
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

  /**
   * Whether an end or a revocation of its grant came that its issuer had not seen. Nothing that a request issues outlives
   * what the same request ends.
   */
  async #isRevoked({
    model,
    payload,
    grantSeen,
  }: Pick<StagedWrite, 'model' | 'payload' | 'grantSeen'>): Promise<boolean> {
    const grantId = grantIdOf(model, payload)
    if (grantId === undefined) return false
    if (this.#revocations.get(grantId)?.has(model) || this.#endsGrant(grantId)) return true
    return grantSeen !== undefined && isRevoked(model, grantSeen, await this.#record('Grant', grantId))
  }

  async findSession(uid: string): Promise<Payload | undefined> {
    const written = this.#sessions.writtenUnder(uid)
    if (written) return copyOf(written.payload)
    return copyOf((await this.readSession(this.#keys.streams('uid', uid)))?.payload)
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

  /** Ends a grant and what was issued under it, which may be there without it. Nothing of it need be readable. */
  async revoke(grantId: string): Promise<void> {
    await this.destroy('Grant', grantId)
  }

  /** Reads a model anew: the same request has written it in a commit of its own. */
  forget(model: string): void {
    for (const name of this.#records.keys()) if (name.startsWith(`${model}:`)) this.#records.delete(name)
    if (model === 'Session') this.#heads.clear()
  }

  /** Whether the unit has read this instance. */
  hasRead(model: string, id: string): boolean {
    return this.#records.has(this.#key(model, id))
  }

  async findDeviceCode(userCode: string): Promise<Payload | undefined> {
    for (const write of this.#writes.values()) {
      if (write.model === 'DeviceCode' && write.payload?.['userCode'] === userCode)
        return (await this.#isRevoked(write)) ? undefined : copyOf(viewOf(write))
    }
    const { id, record } = await this.#context.log.findDeviceCode(userCode)
    if (!record.stored) return undefined
    const key = this.#key('DeviceCode', id)
    if (!this.#records.has(key)) this.#records.set(key, Promise.resolve(record))
    return this.find('DeviceCode', id)
  }

  /** @throws UnitClosed: nothing was staged */
  async upsert(model: string, id: string, given: Payload): Promise<void> {
    const payload = asStored(given)
    if (model === 'Session') {
      this.#assertOpen()
      return this.#sessions.write(id, payload)
    }
    const key = this.#key(model, id)
    const looksFirst = !isDecidedOnRead(this.#origin) || hasGivenIds(model) || model === 'ReplayDetection'
    const record = looksFirst ? await this.#record(model, id) : await this.#records.get(key)
    const before = this.#writes.get(key)
    const consumed = before?.ended === undefined ? record?.consumedAt : undefined
    this.#stage(key, {
      model,
      names: before?.names ?? namesOf(this.#keys, model, id, record),
      generation: before ? before.generation : (record?.generation ?? 0),
      began: before ? before.began : (record?.began ?? record?.ended?.began),
      revocations: before ? before.revocations : record?.revocations,
      indexedBy: before?.indexedBy ?? [],
      ...(before?.ended !== undefined && { ended: before.ended }),
      payload: consumed === undefined ? payload : { ...payload, consumed },
      stores: true,
      ...(before?.consumedAt !== undefined && { consumedAt: before.consumedAt }),
      usedUp: before?.usedUp,
      ...(model === 'ReplayDetection' && { follows: record?.stored?.commit.id ?? 'none' }),
    })
  }

  /** @throws UnitClosed: nothing was staged */
  async consume(model: string, id: string): Promise<void> {
    const key = this.#key(model, id)
    const at = Math.floor(this.#context.clock.now() / 1000)
    const record = this.#writes.has(key) ? undefined : await this.#record(model, id)
    const before = this.#writes.get(key)
    if (before) this.#stage(key, { ...before, consumedAt: before.consumedAt ?? at })
    else if (record) this.#stage(key, { ...this.#unchanged(model, id, record), consumedAt: at })
  }

  /** @throws UnitClosed: nothing was staged */
  async destroy(model: string, id: string): Promise<void> {
    if (model === 'Session') return this.#destroySession(id)
    const key = this.#key(model, id)
    const record = await this.#record(model, id)
    const before = this.#writes.get(key)
    // A grant ends for all that was issued under it, whether it was ever stored or not.
    const exists = record.stored !== undefined || model === 'Grant'
    if (!exists && !before) return
    const { payload: _, consumedAt, ...rest } = before ?? this.#unchanged(model, id, record)
    this.#stage(key, {
      ...rest,
      generation: record.generation + (exists ? 1 : 0),
      revocations: undefined,
      stores: false,
      ...(exists && { ended: record.generation }),
      ...(exists && consumedAt !== undefined && { usedUp: record.generation }),
      ...(model === 'Interaction' && this.#isResume && { resumed: true }),
    })
  }

  async #destroySession(id: string): Promise<void> {
    const state = this.#context.log.open('Session', await this.#record('Session', id))
    if (state) this.#sessions.read(state)
    // Termination is by uid: a cookie value that has rotated still names its session to application code.
    const rotated = !state && this.#origin.kind === 'application' ? await this.#context.log.findRotated(id) : undefined
    this.#assertOpen()
    if (rotated) this.#sessions.endRotated(rotated)
    else this.#sessions.end(id)
  }

  /**
   * Revokes what was issued under the grant, of one model: the provider calls this once for each.
   *
   * @throws UnitClosed: nothing was staged
   */
  async revokeGranted(model: string, grantId: string): Promise<void> {
    this.#assertOpen()
    const models = this.#revocations.get(grantId) ?? new Set<string>()
    this.#revocations.set(grantId, models.add(model))
    await this.#record('Grant', grantId)
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
    if (this.#revocations.size > 0 || this.#sessions.endsOne) return true
    return [...this.#writes.values()].some(({ model, ended }) => ended !== undefined && model !== 'Interaction')
  }

  /**
   * Appends what was staged. Undefined: there was nothing. From the call on nothing can be staged.
   *
   * @throws AlreadyClaimedError for what another request has used up, SessionChangedError when the request must be
   *   repeated, and whatever the store throws
   */
  async commit(): Promise<Appended | undefined> {
    this.#closed = true
    const appended = await this.#append()
    if (appended) await this.#endLateLogin()
    return appended
  }

  async #append(): Promise<Appended | undefined> {
    if (this.#repeatsSubmit) return undefined
    const { sessionTurns, clock, log } = this.#context
    const turn = await sessionTurns.enter(this.#sessions.uids(), clock)
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
          if (!(error instanceof ConcurrencyError) || !this.#sessions.writes(error.stream)) throw error
          if (tries >= MAX_TRIES) throw new SessionChangedError('it is written all the time')
          await clock.sleep(Math.random() * Math.min(MAX_PAUSE_MS, 2 ** tries))
          this.#repeatsSubmit = await this.#sessions.catchUp(error.stream)
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
    this.#closed = true
  }

  /**
   * Appends the shown proofs alone, after the commit failed: a proof that was shown is used up, also by a request that
   * lost a race.
   */
  async commitProofs(): Promise<void> {
    for (const write of this.#writes.values()) {
      if (write.model !== 'ReplayDetection') continue
      const commit = { events: eventsOf(this.#keys, write), claims: claimsOf(write), meta: this.#context.meta }
      try {
        await this.#context.log.store.append(commit)
      } catch (error) {
        if (!(error instanceof AlreadyClaimedError)) throw error
      }
    }
  }

  /** The model whose once-only mark or proof this is, when this unit wanted it. */
  modelOf(mark: string): string | undefined {
    for (const write of this.#writes.values()) {
      if (claimsOf(write).some((claim) => claim.kind === 'once' && claim.mark === mark)) return write.model
    }
    return undefined
  }

  async #build(): Promise<NewCommit | undefined> {
    const writes = [...this.#writes.values()]
    const sessions = await this.#sessions.build()
    const events = [
      ...(
        await Promise.all(writes.map(async (write) => eventsOf(this.#keys, write, await this.#grantSeenBy(write))))
      ).flat(),
      ...(await this.#revocationEvents()),
      ...sessions.events,
      ...this.#events,
    ]
    if (events.length === 0) return undefined
    const claims: Claim[] = [
      ...writes.flatMap(claimsOf),
      ...sessions.claims,
      ...this.#once.map((mark): Claim => ({ kind: 'once', mark })),
    ]
    const expiresAt = this.#latestExpiry(sessions.expiry)
    return { events, claims, meta: this.#meta, ...(expiresAt !== undefined && { expiresAt }) }
  }

  /** What this request had seen of the grant when it issued something under it. */
  async #grantSeenBy(write: StagedWrite): Promise<GrantSeen | undefined> {
    const grantId = write.stores ? grantIdOf(write.model, write.payload) : undefined
    if (grantId === undefined) return undefined
    const { generation, revocations } = await this.#record('Grant', grantId)
    return { generation, revocations: revocations.get(write.model) ?? 0 }
  }

  async #revocationEvents(): Promise<NewEvent[]> {
    const events = [...this.#revocations].map(async ([grantId, models]): Promise<NewEvent[]> => {
      if (this.#endsGrant(grantId)) return [] // its end counts for all models
      const record = await this.#record('Grant', grantId)
      const names = namesOf(this.#keys, 'Grant', grantId, record)
      if (record.revocationEvents >= MAX_REVOCATIONS)
        return [endEvent('Grant', names, record.generation, indexedByOf('Grant', record))]
      return [revokedEvent(names, record.generation, [...models])]
    })
    return (await Promise.all(events)).flat()
  }

  #endsGrant(grantId: string): boolean {
    return this.#writes.get(this.#key('Grant', grantId))?.ended !== undefined
  }

  get #isResume(): boolean {
    const route = this.#origin.kind === 'request' ? this.#origin.request.oidc?.route : undefined
    return route === 'resume' || route === 'device_resume'
  }

  /** A login that was typed in before its account was signed out is asked for again. */
  async #withoutEndedLogin(id: string, payload: Payload): Promise<Payload> {
    const accountId = this.#isResume ? loginOf(payload) : undefined
    if (accountId === undefined) return payload
    const { began } = await this.#record('Interaction', id)
    if (began === undefined) return payload
    if (await this.#signOutAbove(began, accountId)) return { ...payload, result: undefined }
    this.#loginBegan = began
    return payload
  }

  /**
   * A sign-out looks for the sessions that it ends after it was stored, and a login looks for sign-outs after its session
   * was stored: whichever came second sees the other. A login that sees one ends its session before anything is answered.
   */
  async #endLateLogin(): Promise<void> {
    const login = this.#sessions.newLogin()
    if (!login || this.#loginBegan === undefined) return
    const signOut = await this.#signOutAbove(this.#loginBegan, login.accountId)
    if (!signOut) return
    await this.#context.endSession(login.uid, signOut.cause)
    throw new SessionChangedError('its account was signed out meanwhile')
  }

  async #signOutAbove(position: number, accountId: string): Promise<SignOut | undefined> {
    const signOut = await newestSignOut(this.#context.log.store, accountId, this.#context.log.issuers)
    return signOut && signOut.position > position ? signOut : undefined
  }

  #latestExpiry(sessions: readonly (number | undefined)[]): number | undefined {
    const stored = [...this.#writes.values()].filter(({ stores }) => stores)
    const expiries = [...stored.map(({ payload }) => payload?.['exp']), ...sessions]
    if (expiries.length === 0 || expiries.some((exp) => typeof exp !== 'number')) return undefined
    return Math.max(...expiries.map(Number)) * 1000
  }

  /** The instance as it was read. */
  #unchanged(model: string, id: string, record: ModelRecord): StagedWrite {
    const state = this.#openIfReadable(model, record)
    return {
      model,
      names: namesOf(this.#keys, model, id, record),
      generation: record.generation,
      indexedBy: indexedByOf(model, record),
      ...(state && { payload: state.payload, grantSeen: state.grantSeen }),
      stores: false,
    }
  }

  /** State that cannot be opened can be ended: a missing key must not keep a login alive. */
  #openIfReadable(model: string, record: ModelRecord): ModelState | undefined {
    try {
      return this.#context.log.open(model, record)
    } catch (error) {
      if (error instanceof KeyUnknownError || error instanceof SealBrokenError) return undefined
      throw error
    }
  }

  /** @throws UnitClosed */
  #stage(key: string, write: StagedWrite): void {
    this.#assertOpen()
    this.#writes.set(key, write)
  }

  #assertOpen(): void {
    if (this.#closed) throw new UnitClosed('the unit of work has begun to commit')
  }

  /** The record as the unit read it first: all of its decisions are based on that. */
  #record(model: string, id: string): Promise<ModelRecord> {
    const key = this.#key(model, id)
    let reading = this.#records.get(key)
    if (!reading) {
      reading = this.#context.log.record(model, id)
      this.#records.set(key, reading)
    }
    return reading
  }

  #key(model: string, id: string): string {
    return this.#keys.streams(model, id)[0]
  }

  get #meta(): Meta {
    const { meta } = this.#context
    const actor = this.#origin.kind === 'ending' ? this.#origin.cause.actor : undefined
    return actor === undefined ? meta : { ...meta, actor }
  }

  get #keys() {
    return this.#context.log.store.keys
  }
}

/** Whether a session went on under another cookie value in the commit that ended this one. */
function isRotation({ commit, event }: LocatedEvent): boolean {
  const uids = event.also?.filter((name) => name.startsWith('uid:')) ?? []
  return commit.events.some((other) => other.type === 'stored' && uids.some((uid) => isIn(other, uid)))
}

/** The account of a login whose result an interaction holds. */
function loginOf({ result }: Payload): string | undefined {
  const { login } = (result ?? {}) as { login?: { accountId?: unknown } }
  return typeof login?.accountId === 'string' ? login.accountId : undefined
}

/** What a model instance is made of belongs to it: the provider changes it in place. What was read must stay as it was. */
function copyOf(payload: Payload | undefined): Payload | undefined {
  return payload && structuredClone(payload)
}

/** The payload as a later read returns it. A copy: the provider changes its own. */
function asStored(payload: Payload): Payload {
  return JSON.parse(JSON.stringify(payload)) as Payload
}
