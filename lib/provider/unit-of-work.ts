import { AlreadyClaimedError, ConcurrencyError, KeyUnknownError, SealBrokenError } from '../errors.ts'
import type { Appended, Claim, Meta, NewCommit, NewEvent } from '../log/commit.ts'
import type { Granted, SessionHead } from './model-log.ts'
import type { ModelState } from './model-state.ts'
import { grantableModels, isConsumable, isGrantable, type Payload } from './models.ts'
import { SessionWrites } from './session-writes.ts'
import { claimsOf, eventOf, indexOf, namesOf, revocationClaims, type Staged, viewOf } from './staged.ts'
import type { UnitOrigin } from './unit-origin.ts'
import type { UnitSurroundings } from './unit-surroundings.ts'

/** A unit that loses this many races in a row gives up. */
const MOST_TRIES = 32

/**
 * What one request of the provider reads and wants to write: staged here, laid over what the request reads, and
 * appended as one commit.
 *
 * A commit that loses a race is built again on top of the newer state where that is possible: a session is rebased, the
 * list of what a grant holds is read again. Whatever cannot be reconciled is thrown, and then nothing has happened.
 */
export class UnitOfWork {
  readonly #around: UnitSurroundings
  readonly #origin: UnitOrigin
  readonly #known = new Map<string, Promise<ModelState | undefined>>()
  readonly #heads = new Map<string, Promise<SessionHead | undefined>>()
  readonly #staged = new Map<string, Staged>()
  readonly #sessions: SessionWrites
  readonly #granted = new Map<string, Promise<Granted[]>>()
  readonly #revoked = new Map<string, Set<string>>()
  readonly #taken = new Set<string>()
  readonly #facts: NewEvent[] = []
  readonly #once: string[] = []

  constructor(around: UnitSurroundings, origin: UnitOrigin) {
    this.#around = around
    this.#origin = origin
    this.#sessions = new SessionWrites(around, origin)
  }

  async find(model: string, id: string): Promise<Payload | undefined> {
    return copyOf(await this.#find(model, id))
  }

  async #find(model: string, id: string): Promise<Payload | undefined> {
    if (model === 'Session') {
      const written = this.#sessions.writtenAs(id)
      if (written) return written.payload
    }
    const staged = this.#staged.get(this.#key(model, id))
    if (staged) return viewOf(staged)
    return (await this.#load(model, id))?.payload
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
    let finding = this.#heads.get(key)
    if (!finding) {
      finding = this.#around.log.findSessionUnder(names)
      this.#heads.set(key, finding)
    }
    const head = await finding
    if (!head || !('state' in head)) return undefined
    this.#sessions.read(head.state)
    return head.state
  }

  /** Ends a session that this unit has read. */
  endSession({ payload }: ModelState): void {
    this.#sessions.end(String(payload['jti']))
  }

  /** Writes a session that this unit has read, without a client's authorization. */
  removeAuthorization({ payload }: ModelState, clientId: string): void {
    const left = Object.entries((payload['authorizations'] ?? {}) as Payload).filter(([client]) => client !== clientId)
    this.#sessions.write(String(payload['jti']), { ...payload, authorizations: Object.fromEntries(left) })
  }

  /** Revokes a grant and what lives under it, which may be there without it. */
  async revoke(grantId: string): Promise<void> {
    await Promise.all(grantableModels.map((model) => this.revokeGranted(model, grantId)))
    try {
      if (await this.#load('Grant', grantId)) await this.destroy('Grant', grantId)
    } catch (error) {
      if (!(error instanceof KeyUnknownError || error instanceof SealBrokenError)) throw error
      // What cannot be read can be revoked: nobody keeps a session because a key is gone.
      this.#stage(grantId, this.#change('Grant', grantId, 'destroyed', undefined))
    }
  }

  /** What was read of a model is read anew: it was written by the same request, at once. */
  forget(model: string): void {
    for (const name of this.#known.keys()) if (name.startsWith(`${model}:`)) this.#known.delete(name)
    if (model === 'Session') this.#heads.clear()
  }

  async findDeviceCode(userCode: string): Promise<Payload | undefined> {
    for (const staged of this.#staged.values()) {
      if (staged.model === 'DeviceCode' && staged.payload?.['userCode'] === userCode) return copyOf(viewOf(staged))
    }
    const state = await this.#around.log.findDeviceCode(userCode)
    if (state) this.#known.set(this.#key('DeviceCode', String(state.payload['jti'])), Promise.resolve(state))
    return copyOf(state?.payload)
  }

  async upsert(model: string, id: string, given: Payload): Promise<void> {
    const payload = asStored(given)
    if (model === 'Session') return this.#sessions.write(id, payload)
    const known = await this.#known.get(this.#key(model, id))
    const before = this.#staged.get(this.#key(model, id))
    const follows = model === 'ReplayDetection' ? ((await this.#load(model, id))?.commit ?? 'none') : undefined
    this.#stage(id, {
      model,
      names: namesOf(this.#keys, model, id, known),
      action: 'stored',
      payload,
      index: indexOf(this.#keys, model, payload),
      ...(before?.consumedAt !== undefined && { consumedAt: before.consumedAt }),
      ...(follows !== undefined && { follows }),
    })
  }

  async consume(model: string, id: string): Promise<void> {
    const at = Math.floor(this.#around.clock.now() / 1000)
    const before = this.#staged.get(this.#key(model, id))
    if (before) {
      this.#stage(id, { ...before, consumedAt: before.consumedAt ?? at })
      return
    }
    const state = await this.#load(model, id)
    this.#stage(id, this.#change(model, id, 'consumed', state, at))
  }

  async destroy(model: string, id: string): Promise<void> {
    if (model === 'Session') {
      if (await this.#load(model, id)) return this.#sessions.end(id)
      return this.#origin.kind === 'application' ? this.#endRotated(id) : this.#sessions.end(id)
    }
    const { consumedAt } = this.#staged.get(this.#key(model, id)) ?? {}
    const state = await this.#load(model, id)
    this.#stage(id, this.#change(model, id, 'destroyed', state, consumedAt))
  }

  /** Termination is by uid: a cookie value that rotated away still names its session to application code. */
  async #endRotated(id: string): Promise<void> {
    const state = this.#around.attached ? await this.#around.log.findRotated(id) : undefined
    if (state) this.#sessions.endRotated(state)
  }

  /** Revokes what lives under the grant, of one model: the provider calls this once for each. */
  async revokeGranted(model: string, grantId: string): Promise<void> {
    const models = this.#revoked.get(grantId) ?? new Set<string>()
    this.#revoked.set(grantId, models.add(model))
    await this.#grantedBy(grantId)
    for (const [key, staged] of this.#staged) {
      if (staged.model === model && staged.payload?.['grantId'] === grantId && isGrantable(model)) {
        this.#staged.set(key, { ...staged, action: 'revoked' })
      }
    }
  }

  /** Adds facts to the commit. */
  record(events: readonly NewEvent[]): void {
    this.#facts.push(...events)
  }

  /** Has only one commit ever hold these marks: the others are refused with AlreadyClaimedError. */
  claimOnce(marks: readonly string[]): void {
    this.#once.push(...marks)
  }

  /** Whether it takes something away: then it counts even when the request ends in an error. */
  get takesAway(): boolean {
    if (this.#revoked.size > 0 || this.#sessions.endsOne) return true
    return [...this.#staged.values()].some(({ action }) => action === 'destroyed' || action === 'revoked')
  }

  /**
   * Appends what was staged. Undefined: there was nothing.
   *
   * @throws AlreadyClaimedError for what another request has used up, SessionChangedError when the request must be
   *   repeated, and whatever the store throws
   */
  async commit(): Promise<Appended | undefined> {
    for (let tries = 1; ; tries++) {
      const commit = await this.#build()
      if (!commit) return undefined
      try {
        const appended = await this.#around.log.store.append(commit)
        this.#sessions.committed(appended.id)
        for (const observer of this.#around.observers) observer.committed?.(appended, commit.events)
        return appended
      } catch (error) {
        if (tries >= MOST_TRIES) throw error
        if (error instanceof ConcurrencyError && (await this.#sessions.catchUp(error.stream))) continue
        if (error instanceof AlreadyClaimedError && this.#reconsider(error.mark)) continue
        throw error
      }
    }
  }

  /**
   * Appends the shown proofs alone, after the commit failed: a proof that was shown is spent, even by the loser.
   */
  async commitProofs(): Promise<void> {
    for (const staged of this.#staged.values()) {
      if (staged.model !== 'ReplayDetection') continue
      const commit = { events: [eventOf(this.#keys, staged)], claims: claimsOf(staged), meta: this.#around.meta }
      try {
        await this.#around.log.store.append(commit)
      } catch (error) {
        if (!(error instanceof AlreadyClaimedError)) throw error
      }
    }
  }

  /** The model whose once-only mark or proof this is, when this unit wanted it. */
  modelOf(mark: string): string | undefined {
    for (const staged of this.#staged.values()) {
      if (claimsOf(staged).some((claim) => claim.kind === 'once' && claim.mark === mark)) return staged.model
    }
    return undefined
  }

  async #build(): Promise<NewCommit | undefined> {
    const revocations = await this.#revocations()
    const sessions = await this.#sessions.build()
    const revoked = new Set([...revocations.values()].flatMap(({ event }) => [event.stream, ...(event.also ?? [])]))
    const wishes = [...this.#staged.values()].filter(({ names }) => !names.some((name) => revoked.has(name)))
    const events = [
      ...wishes.map((staged) => eventOf(this.#keys, staged)),
      ...[...revocations.values()].map(({ event }) => event),
      ...sessions.events,
      ...this.#facts,
    ]
    if (events.length === 0) return undefined
    const claims: Claim[] = [
      ...[...this.#staged.values()].flatMap(claimsOf),
      ...[...revocations.values()].flatMap((revocation) => revocation.claims),
      ...sessions.claims,
      ...this.#once.map((mark): Claim => ({ kind: 'once', mark })),
    ]
    const expiresAt = this.#latestExpiry(sessions.expiry)
    return { events, claims, meta: this.#meta, ...(expiresAt !== undefined && { expiresAt }) }
  }

  /** What the grants held when they were last listed, and what this unit itself puts under them. */
  async #revocations(): Promise<Map<string, { event: NewEvent; claims: Claim[] }>> {
    const revocations = new Map<string, { event: NewEvent; claims: Claim[] }>()
    for (const [grantId, models] of this.#revoked) {
      for (const { model, names, consumed } of await this.#grantedBy(grantId)) {
        if (!models.has(model)) continue
        const staged: Staged = { model, names, action: 'revoked', index: this.#keys.streams('grant', grantId) }
        const [name = ''] = names
        const used = consumed || names.some((one) => this.#taken.has(one))
        revocations.set(name, { event: eventOf(this.#keys, staged), claims: revocationClaims(model, names, used) })
      }
    }
    return revocations
  }

  /** A mark that only a revocation wanted is held: an exchange was faster, so its tokens are in the list by now. */
  #reconsider(mark: string): boolean {
    if (this.modelOf(mark) !== undefined || this.#once.includes(mark)) return false
    this.#taken.add(mark.slice(0, mark.lastIndexOf('#')))
    this.#granted.clear()
    return this.#revoked.size > 0
  }

  #latestExpiry(sessions: readonly (number | undefined)[]): number | undefined {
    const stored = [...this.#staged.values()].filter(({ action }) => action === 'stored')
    const expiries = [...stored.map(({ payload }) => payload?.['exp']), ...sessions]
    if (expiries.length === 0 || expiries.some((exp) => typeof exp !== 'number')) return undefined
    return Math.max(...expiries.map(Number)) * 1000
  }

  #change(
    model: string,
    id: string,
    action: 'consumed' | 'destroyed',
    state: ModelState | undefined,
    consumedAt?: number,
  ): Staged {
    return {
      model,
      names: namesOf(this.#keys, model, id, state),
      action,
      index: state ? indexOf(this.#keys, model, state.payload) : [],
      ...(state && { payload: state.payload }),
      ...(consumedAt !== undefined && isConsumable(model) && { consumedAt }),
    }
  }

  #stage(id: string, staged: Staged): void {
    this.#staged.set(this.#key(staged.model, id), staged)
  }

  #load(model: string, id: string): Promise<ModelState | undefined> {
    const key = this.#key(model, id)
    let loading = this.#known.get(key)
    if (!loading) {
      loading = this.#around.log.find(model, id).then((state) => {
        if (state && model === 'Session') this.#sessions.read(state)
        return state
      })
      this.#known.set(key, loading)
    }
    return loading
  }

  #grantedBy(grantId: string): Promise<Granted[]> {
    let listing = this.#granted.get(grantId)
    if (!listing) {
      listing = this.#around.log.grantedBy(grantId)
      this.#granted.set(grantId, listing)
    }
    return listing
  }

  #key(model: string, id: string): string {
    return this.#keys.streams(model, id)[0]
  }

  get #meta(): Meta {
    const { meta } = this.#around
    const actor = this.#origin.kind === 'ending' ? this.#origin.cause.actor : undefined
    return actor === undefined ? meta : { ...meta, actor }
  }

  get #keys() {
    return this.#around.log.store.keys
  }
}

/** What a model instance is made of belongs to it: the provider changes it in place. What was read must stay as it was. */
function copyOf(payload: Payload | undefined): Payload | undefined {
  return payload && structuredClone(payload)
}

/** The payload as it will come back; from now on the provider may change its own. */
function asStored(payload: Payload): Payload {
  return JSON.parse(JSON.stringify(payload)) as Payload
}
