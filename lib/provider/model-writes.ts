import type { Claim, NewEvent } from '../log/commit.ts'
import { isUnreadable } from '../secrets/unreadable.ts'
import { type GrantSeen, isRevoked, type ModelRecord } from './model-record.ts'
import type { ModelState } from './model-state.ts'
import { hasGivenIds, type Payload } from './models.ts'
import {
  changes,
  claimsOf,
  endEvent,
  eventsOf,
  grantIdOf,
  indexedByOf,
  namesOf,
  replacedBy,
  revokedEvent,
  type StagedWrite,
} from './staged-write.ts'
import { sealerOf, type UnitContext } from './unit-context.ts'
import { isDecidedOnRead, isResume, type UnitOrigin } from './unit-origin.ts'

/**
 * After so many revocations under one grant the next one ends the grant, and the user consents again: each look-up of a
 * token reads all revocations of its grant.
 */
const MAX_REVOCATIONS = 100

/** Thrown when a write arrives after the unit has begun to commit: it must be a commit of its own. */
export class UnitClosed extends Error {}

/**
 * The writes of a unit of work, of all models but Session, and what they are decided on: each instance as it was read
 * first.
 */
export class ModelWrites {
  readonly #context: UnitContext
  readonly #origin: UnitOrigin
  readonly #records = new Map<string, Promise<ModelRecord>>()
  readonly #writes = new Map<string, StagedWrite>()
  /** The models that are revoked, by grant. */
  readonly #revocations = new Map<string, Set<string>>()
  #closed = false

  constructor(context: UnitContext, origin: UnitOrigin) {
    this.#context = context
    this.#origin = origin
  }

  /** From now on nothing can be staged. */
  close(): void {
    this.#closed = true
  }

  /** @throws UnitClosed */
  assertOpen(): void {
    if (this.#closed) throw new UnitClosed('the unit of work has begun to commit')
  }

  /** What is staged of the instance. */
  staged(model: string, id: string): StagedWrite | undefined {
    return this.#writes.get(this.#key(model, id))
  }

  /** What is staged of the device code with this user code. */
  stagedDeviceCode(userCode: string): StagedWrite | undefined {
    const writes = [...this.#writes.values()]
    return writes.find(({ model, payload }) => model === 'DeviceCode' && payload?.['userCode'] === userCode)
  }

  /** The record as the unit read it first: all of its decisions are based on that. */
  record(model: string, id: string): Promise<ModelRecord> {
    const key = this.#key(model, id)
    let reading = this.#records.get(key)
    if (!reading) {
      reading = this.#context.log.record(model, id)
      this.#records.set(key, reading)
    }
    return reading
  }

  /** Takes a record that was read by something else than the id. */
  remember(model: string, id: string, record: ModelRecord): void {
    const key = this.#key(model, id)
    if (!this.#records.has(key)) this.#records.set(key, Promise.resolve(record))
  }

  /** Reads a model anew: the same request has written it in a commit of its own. */
  forget(model: string): void {
    for (const name of this.#records.keys()) if (name.startsWith(`${model}:`)) this.#records.delete(name)
  }

  /** Whether the unit has read this instance. */
  hasRead(model: string, id: string): boolean {
    return this.#records.has(this.#key(model, id))
  }

  /**
   * Whether an end or a revocation of its grant came that its issuer had not seen. Nothing that a request issues outlives
   * what the same request ends.
   */
  async isRevoked({
    model,
    payload,
    grantSeen,
  }: Pick<StagedWrite, 'model' | 'payload' | 'grantSeen'>): Promise<boolean> {
    const grantId = grantIdOf(model, payload)
    if (grantId === undefined) return false
    if (this.#revocations.get(grantId)?.has(model) || this.#endsGrant(grantId)) return true
    return grantSeen !== undefined && isRevoked(model, grantSeen, await this.record('Grant', grantId))
  }

  /**
   * @param isDecided - whether it was decided on the state that the unit has read: then it may follow that one only
   * @throws UnitClosed: nothing was staged
   */
  async upsert(model: string, id: string, payload: Payload, isDecided: boolean = false): Promise<void> {
    const key = this.#key(model, id)
    const looksFirst = !isDecidedOnRead(this.#origin) || hasGivenIds(model) || model === 'ReplayDetection'
    const record = looksFirst ? await this.record(model, id) : await this.#records.get(key)
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
      ...(before?.replaces ? { replaces: before.replaces } : record && replacedBy(model, record)),
      isDecided,
    })
  }

  /** @throws UnitClosed: nothing was staged */
  async consume(model: string, id: string): Promise<void> {
    const key = this.#key(model, id)
    const at = Math.floor(this.#context.clock.now() / 1000)
    const record = this.#writes.has(key) ? undefined : await this.record(model, id)
    const unchanged = record && (await this.#unchanged(model, id, record))
    const before = this.#writes.get(key)
    if (before) this.#stage(key, { ...before, consumedAt: before.consumedAt ?? at })
    else if (unchanged) this.#stage(key, { ...unchanged, consumedAt: at })
  }

  /** @throws UnitClosed: nothing was staged */
  async destroy(model: string, id: string): Promise<void> {
    const key = this.#key(model, id)
    const record = await this.record(model, id)
    const unchanged = await this.#unchanged(model, id, record)
    const before = this.#writes.get(key)
    // A grant ends for all that was issued under it, whether it was ever stored or not.
    const exists = record.stored !== undefined || model === 'Grant'
    if (!exists && !before) return
    const { payload: _, consumedAt, ...rest } = before ?? unchanged
    this.#stage(key, {
      ...rest,
      generation: record.generation + (exists ? 1 : 0),
      revocations: undefined,
      stores: false,
      ...(exists && { ended: record.generation }),
      ...(exists && consumedAt !== undefined && { usedUp: record.generation }),
      ...(model === 'Interaction' && isResume(this.#origin) && { resumed: true }),
    })
  }

  /**
   * Revokes what was issued under the grant, of one model: the provider calls this once for each.
   *
   * @throws UnitClosed: nothing was staged
   */
  async revokeGranted(model: string, grantId: string): Promise<void> {
    this.assertOpen()
    const models = this.#revocations.get(grantId) ?? new Set<string>()
    this.#revocations.set(grantId, models.add(model))
    await this.record('Grant', grantId)
  }

  /** Whether one of them ends or revokes something. The end of an interaction takes nothing from anybody. */
  get isDestructive(): boolean {
    if (this.#revocations.size > 0) return true
    return [...this.#writes.values()].some(({ model, ended }) => ended !== undefined && model !== 'Interaction')
  }

  /** What it writes of which one commit only may follow each state: a stream for each. */
  linearStreams(): string[] {
    return [...this.#writes].filter(([, { replaces }]) => replaces).map(([stream]) => stream)
  }

  /** Whether what is written to this stream may follow a newer state than the unit has read. */
  mayCatchUp(stream: string): boolean {
    return this.#replacing(stream).some(([, { isDecided, moved }]) => !isDecided && !moved)
  }

  /**
   * Has what is written to this stream follow its newest state, which another commit has left meanwhile. What comes too late
   * to change that one follows none: nothing could follow it after that.
   */
  async catchUp(stream: string): Promise<void> {
    this.#context.log.lookAgain()
    for (const [key, write] of this.#replacing(stream)) {
      const record = await this.#context.log.recordUnder(write.model, write.names)
      this.#writes.set(key, { ...write, replaces: [], ...(changes(write, record) && replacedBy(write.model, record)) })
    }
  }

  #replacing(stream: string): [string, StagedWrite][] {
    return [...this.#writes].filter(([, { names, replaces }]) => replaces && names.includes(stream))
  }

  /** The model whose once-only mark or proof this is, when this unit wanted it. */
  modelOf(mark: string): string | undefined {
    for (const write of this.#writes.values()) {
      if (claimsOf(write).some((claim) => claim.kind === 'once' && claim.mark === mark)) return write.model
    }
    return undefined
  }

  /** The proofs that must not be shown twice: what each becomes, as a commit of its own. */
  proofs(): Promise<{ readonly events: readonly NewEvent[]; readonly claims: readonly Claim[] }[]> {
    const proofs = [...this.#writes.values()].filter(({ model }) => model === 'ReplayDetection')
    return Promise.all(
      proofs.map(async (write) => ({ events: await eventsOf(this.#sealer, write), claims: claimsOf(write) })),
    )
  }

  /** What the writes add to the commit. `expiry` holds the `exp` of each stored state. */
  async build(): Promise<{ events: NewEvent[]; claims: Claim[]; expiry: unknown[] }> {
    const writes = [...this.#writes.values()]
    const events = writes.map(async (write) => eventsOf(this.#sealer, write, await this.#grantSeenBy(write)))
    return {
      events: [...(await Promise.all(events)).flat(), ...(await this.#revocationEvents())],
      claims: writes.flatMap(claimsOf),
      expiry: writes.filter(({ stores }) => stores).map(({ payload }) => payload?.['exp']),
    }
  }

  /** What this request had seen of the grant when it issued something under it. */
  async #grantSeenBy(write: StagedWrite): Promise<GrantSeen | undefined> {
    const grantId = write.stores ? grantIdOf(write.model, write.payload) : undefined
    if (grantId === undefined) return undefined
    const { generation, revocations } = await this.record('Grant', grantId)
    return { generation, revocations: revocations.get(write.model) ?? 0 }
  }

  async #revocationEvents(): Promise<NewEvent[]> {
    const events = [...this.#revocations].map(async ([grantId, models]): Promise<NewEvent[]> => {
      if (this.#endsGrant(grantId)) return [] // its end counts for all models
      const record = await this.record('Grant', grantId)
      const names = namesOf(this.#keys, 'Grant', grantId, record)
      if (record.revocationEvents >= MAX_REVOCATIONS)
        return [endEvent('Grant', names, record.generation, indexedByOf('Grant', record))]
      return [revokedEvent(names, record.generation, [...models], record.revocations)]
    })
    return (await Promise.all(events)).flat()
  }

  #endsGrant(grantId: string): boolean {
    return this.#writes.get(this.#key('Grant', grantId))?.ended !== undefined
  }

  /** The instance as it was read. */
  async #unchanged(model: string, id: string, record: ModelRecord): Promise<StagedWrite> {
    const state = await this.#openIfReadable(model, record)
    return {
      model,
      names: namesOf(this.#keys, model, id, record),
      generation: record.generation,
      indexedBy: indexedByOf(model, record),
      ...(state && { payload: state.payload, grantSeen: state.grantSeen }),
      ...replacedBy(model, record),
      stores: false,
    }
  }

  /** State that cannot be opened can be ended: a missing key must not keep a login alive. */
  async #openIfReadable(model: string, record: ModelRecord): Promise<ModelState | undefined> {
    try {
      return await this.#context.log.open(model, record)
    } catch (error) {
      if (isUnreadable(error)) return undefined
      throw error
    }
  }

  /** @throws UnitClosed */
  #stage(key: string, write: StagedWrite): void {
    this.assertOpen()
    this.#writes.set(key, this.#origin.kind === 'moving' ? { ...write, moved: true } : write)
  }

  #key(model: string, id: string): string {
    return this.#keys.streams(model, id)[0]
  }

  get #sealer() {
    return sealerOf(this.#context)
  }

  get #keys() {
    return this.#context.log.store.keys
  }
}
