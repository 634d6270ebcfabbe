import { isDeepStrictEqual } from 'node:util'
import { SessionChangedError } from '../errors.ts'
import type { Appended, Claim, JsonObject, NewEvent } from '../log/commit.ts'
import { indexStreams } from './index-streams.ts'
import { type ModelState, type Notes, storedData } from './model-state.ts'
import type { Payload } from './models.ts'
import { rebase } from './session-rebase.ts'
import { endEvent, eventOf } from './staged-write.ts'
import { sealerOf, type UnitContext } from './unit-context.ts'
import { isDecidedOnRead, type UnitOrigin } from './unit-origin.ts'
import type { WriteTurn } from './write-turns.ts'

/** One session in one unit of work: how it was read, what is to become of it. */
interface SessionWrite {
  readonly uid: string
  /** The state that the change follows. */
  base: ModelState | undefined
  /** The cookie values under which it stops being found. */
  readonly removedIds: Set<string>
  /** The state to write; absent when it ends. */
  written: { readonly id: string; payload: Payload } | undefined
  /** Whether a newer state is to end as well. Absent in a request: it is. */
  endsToo?: (newest: ModelState) => boolean
  /** What was built last: the state that the commit leaves. */
  built?: Omit<ModelState, 'commit' | 'position'> | undefined
}

/** What the writes add to a commit. */
interface BuiltWrites {
  readonly events: NewEvent[]
  readonly claims: Claim[]
  readonly expiry: (number | undefined)[]
}

/**
 * The session writes of a unit of work. A session is written with a claim on the state that was read: one commit only
 * may follow each, so no request overwrites what another wrote, and what was in flight when a session ended loses.
 */
export class SessionWrites {
  readonly #context: UnitContext
  readonly #origin: UnitOrigin
  readonly #bases = new Map<string, ModelState>()
  readonly #writes = new Map<string, SessionWrite>()

  constructor(context: UnitContext, origin: UnitOrigin) {
    this.#context = context
    this.#origin = origin
  }

  /** Remembers the first state that the unit saw of a session: what it decides is decided on that. */
  read(state: ModelState): void {
    const uid = String(state.payload['uid'])
    if (!this.#bases.has(uid)) this.#bases.set(uid, state)
    if (this.#origin.kind === 'application') this.#context.recentSessions.remember(uid, state)
  }

  /** What the unit has made of the session with this cookie value, if it did: gone, or written. */
  writtenAs(id: string): { payload: Payload | undefined } | undefined {
    for (const { written, removedIds } of this.#writes.values()) {
      if (written?.id === id) return { payload: written.payload }
      if (removedIds.has(id)) return { payload: undefined }
    }
    return undefined
  }

  writtenUnder(uid: string): { payload: Payload | undefined } | undefined {
    const write = this.#writes.get(uid)
    return write && { payload: write.written?.payload }
  }

  /** An upsert. A write that follows the destruction of an older cookie value of the same session is a rotation. */
  write(id: string, payload: Payload): void {
    const write = this.#of(String(payload['uid']))
    write.removedIds.delete(id)
    if (write.written && write.written.id !== id) write.removedIds.add(write.written.id)
    write.written = { id, payload }
  }

  /** The end of a state that was read, and of each that follows it, if `endsToo` says so. */
  endState({ payload }: ModelState, endsToo: (newest: ModelState) => boolean): void {
    this.end(String(payload['jti']))
    this.#of(String(payload['uid'])).endsToo = endsToo
  }

  /** A destroy. Whether the session ends or rotates is known only when the unit is complete. */
  end(id: string): void {
    for (const write of this.#writes.values()) {
      if (write.written?.id === id) {
        write.written = undefined
        write.removedIds.add(id)
        return
      }
    }
    for (const [uid, { payload }] of this.#bases) {
      if (payload['jti'] === id) this.#of(uid).removedIds.add(id)
    }
  }

  /** The end of a session whose cookie value has rotated since the application read it. */
  endRotated(state: ModelState): void {
    this.#of(String(state.payload['uid'])).removedIds.add(String(state.payload['jti']))
  }

  /** Whether a session ends. A rotation takes nothing away: the browser that never saw the new cookie keeps the old one. */
  get endsOne(): boolean {
    return [...this.#writes.values()].some(({ removedIds, written }) => removedIds.size > 0 && !written)
  }

  /** The uids of the sessions that the unit writes. */
  uids(): string[] {
    return [...this.#writes.keys()]
  }

  /** Whether this is the stream of the uid of one of them. */
  writes(stream: string): boolean {
    return [...this.#writes.values()].some((write) => this.#uidStreams(write).includes(stream))
  }

  /** The session in which this unit begins a login. */
  newLogin(): { readonly uid: string; readonly accountId: string } | undefined {
    for (const { uid, base, written } of this.#writes.values()) {
      const accountId = written?.payload['accountId']
      if (typeof accountId === 'string' && accountId !== base?.payload['accountId']) return { uid, accountId }
    }
    return undefined
  }

  /**
   * Puts the changes on top of what the commits of this process before this one have left.
   *
   * @returns whether one of them has done already what this request asks for: see `catchUp()`
   */
  buildOn(turn: WriteTurn): boolean {
    if (!isDecidedOnRead(this.#origin)) return false // it reads the newest state anyway
    for (const write of this.#writes.values()) {
      const newest = turn.newest(write.uid)
      if (!newest || !write.base || newest.position <= write.base.position) continue
      if (this.#isDone(write, write.base, newest)) return true
      this.#rebaseOn(write, write.base, newest)
    }
    return false
  }

  async build(): Promise<BuiltWrites> {
    const built: BuiltWrites = { events: [], claims: [], expiry: [] }
    for (const write of this.#writes.values()) {
      if (!isDecidedOnRead(this.#origin) && !(await this.#readNewest(write))) continue
      if (!write.base && !write.written) continue
      await this.#buildOne(write, built)
    }
    return built
  }

  /**
   * After another commit followed the state that a write is based on: takes the newer state as the base and puts the
   * change on top of it.
   *
   * @returns whether the other commit has done already what this request asks for: the logout form was submitted twice
   * @throws SessionChangedError (`SESSION_CHANGED`) when there is nothing to rebase on
   */
  async catchUp(stream: string): Promise<boolean> {
    const write = [...this.#writes.values()].find((one) => this.#uidStreams(one).includes(stream))
    if (!write || !isDecidedOnRead(this.#origin)) return false
    this.#context.log.lookAgain()
    const head = await this.#context.log.findSession(write.uid)
    const newest = head && 'state' in head ? head.state : undefined
    if (write.base && this.#isDone(write, write.base, newest)) return true
    if (!newest) throw new SessionChangedError('it has ended')
    if (!write.base) throw new SessionChangedError('its uid is taken')
    this.#rebaseOn(write, write.base, newest)
    return false
  }

  /** Whether the newest state is what a submitted logout form asks for: no session, or one without the client's login. */
  #isDone({ written }: SessionWrite, base: ModelState, newest: ModelState | undefined): boolean {
    if (this.#origin.kind !== 'request' || this.#origin.request.oidc?.route !== 'end_session_confirm') return false
    if (!written || !newest) return !written && !newest
    const left = clientsOf(written.payload)
    const removed = [...clientsOf(base.payload)].filter((client) => !left.has(client))
    const now = clientsOf(newest.payload)
    return removed.length > 0 && removed.every((client) => !now.has(client))
  }

  #rebaseOn(write: SessionWrite, base: ModelState, newest: ModelState): void {
    if (this.#origin.kind === 'moving') throw new SessionChangedError('it was written while it was taken over')
    if (!write.written) {
      this.#assertEndsToo(write, base.payload, newest)
      write.base = newest
      return
    }
    this.#assertServes(write.written.payload, base.payload, newest.payload)
    const rebased = rebase(base.payload, { ...write.written.payload, jti: base.payload['jti'] }, newest.payload)
    if ('conflict' in rebased) throw new SessionChangedError(rebased.conflict)
    write.base = newest
    write.written = { id: write.written.id, payload: { ...rebased.payload, jti: write.written.id } }
  }

  /**
   * Continuous renewals must not prevent the end of a session: the end is put on top of a newer state with the same
   * logins. Other logins have grants that the unit has not revoked.
   */
  #assertEndsToo({ endsToo }: SessionWrite, base: Payload, newest: ModelState): void {
    const isSame = ['accountId', 'authorizations'].every((field) =>
      isDeepStrictEqual(base[field], newest.payload[field]),
    )
    if (!isSame || endsToo?.(newest) === false) throw new SessionChangedError('it was written while it was being ended')
  }

  /**
   * What a request answers its client is about the login that it has read: with an ID token or a code for one that has
   * ended meanwhile, the client would hold a login that the session does not list and that is never ended.
   */
  #assertServes(written: Payload, read: Payload, newest: Payload): void {
    const clientId = this.#origin.kind === 'request' ? this.#origin.request.oidc?.client?.clientId : undefined
    if (clientId === undefined) return
    const [before, after, now] = [read, written, newest].map((payload) => sidAt(payload, clientId))
    if (before !== undefined && before === after && before !== now)
      throw new SessionChangedError('the login of the client that asks has ended')
  }

  /**
   * A write of application code does not say which state it is based on: that is the one it has read last, and the
   * change goes on top of the newest. False: that session has ended, and no late save brings it back.
   *
   * @throws SessionChangedError when the two cannot be reconciled
   */
  async #readNewest(write: SessionWrite): Promise<boolean> {
    const head = await this.#context.log.findSession(write.uid)
    if (head && 'ended' in head) return false
    write.base = head?.state
    if (write.written && head) this.#putOnTop(write, write.written, head.state)
    return true
  }

  #putOnTop(
    write: SessionWrite,
    { id, payload }: { readonly id: string; readonly payload: Payload },
    newest: ModelState,
  ): void {
    const seen = this.#context.recentSessions.get(write.uid)
    if (seen?.commit === newest.commit) return
    if (!seen) {
      const authorizations = {
        ...(newest.payload['authorizations'] as object),
        ...(payload['authorizations'] as object),
      }
      write.written = { id, payload: { ...payload, authorizations } }
      return
    }
    const rebased = rebase(seen.payload, { ...payload, jti: seen.payload['jti'] }, newest.payload)
    if ('conflict' in rebased) throw new SessionChangedError(rebased.conflict)
    write.written = { id, payload: { ...rebased.payload, jti: id } }
  }

  /** Tells the next commit of this process what this one has left, and application code what it goes on from. */
  committed({ id: commit, position }: Appended, turn: WriteTurn): void {
    for (const { uid, written, built } of this.#writes.values()) {
      turn.left(uid, built && { ...built, commit, position })
      if (this.#origin.kind !== 'application') continue
      if (written) this.#context.recentSessions.remember(uid, { payload: written.payload, commit })
      else this.#context.recentSessions.forget(uid)
    }
  }

  async #buildOne(write: SessionWrite, built: BuiltWrites): Promise<void> {
    const { base, written } = write
    const { events, notes } = await this.#observe(write)
    const keys = this.#context.log.store.keys
    const removedIds = new Set(write.removedIds)
    if (base && base.payload['jti'] !== written?.id) removedIds.add(String(base.payload['jti']))
    // What was staged and withdrawn within this unit was never in the log.
    if (base && removedIds.has(String(base.payload['jti']))) {
      const { uid, accountId, jti } = base.payload
      const index = indexStreams(keys, 'Session', { uid, accountId })
      built.events.push(endEvent('Session', this.#names(String(jti), base), base.generation, index, this.#marks))
    }
    write.built = written && this.#stateOf(written, base, notes)
    if (write.built) {
      const { names, payload } = write.built
      const [stream = ''] = names
      const data = await storedData(sealerOf(this.#context), 'Session', stream, write.built)
      built.events.push(eventOf(names, 'stored', data, write.built.indexedBy))
      built.expiry.push(typeof payload['exp'] === 'number' ? payload['exp'] : undefined)
    }
    built.events.push(...events)
    for (const stream of this.#uidStreams(write))
      built.claims.push({ kind: 'follows', stream, after: base?.commit ?? 'none' })
  }

  #stateOf(
    { id, payload }: { readonly id: string; readonly payload: Payload },
    base: ModelState | undefined,
    notes: Notes,
  ): NonNullable<SessionWrite['built']> {
    const goesOn = base?.payload['jti'] === id
    return {
      model: 'Session',
      names: this.#names(id, goesOn ? base : undefined),
      indexedBy: indexStreams(this.#context.log.store.keys, 'Session', payload, base),
      payload,
      notes,
      generation: goesOn ? base.generation : 0,
      grantSeen: { generation: 0, revocations: 0 },
      moved: this.#origin.kind === 'moving',
    }
  }

  get #marks(): { readonly moved?: true } {
    return this.#origin.kind === 'moving' ? { moved: true } : {}
  }

  /** The names of the stream of a cookie value: those it hashes to now, and those that its state was stored by. */
  #names(id: string, state: ModelState | undefined): readonly string[] {
    return [...new Set([...this.#context.log.store.keys.streams('Session', id), ...(state?.names ?? [])])]
  }

  async #observe({ uid, base, written }: SessionWrite): Promise<{ events: NewEvent[]; notes: Notes }> {
    const events: NewEvent[] = []
    const notes: Record<string, JsonObject> = { ...base?.notes }
    for (const observer of this.#context.observers) {
      const note = base?.notes[observer.name]
      const observation = await observer.sessionChanges({
        uid,
        ...(base && { before: base.payload }),
        ...(written && { after: written.payload }),
        ...(note && { note }),
        ...(this.#origin.kind === 'request' && { request: this.#origin.request }),
        ...(this.#origin.kind === 'ending' && { cause: this.#origin.cause }),
      })
      events.push(...observation.events)
      if (observation.note) notes[observer.name] = observation.note
    }
    return { events, notes }
  }

  #of(uid: string): SessionWrite {
    let write = this.#writes.get(uid)
    if (!write) {
      write = { uid, base: this.#bases.get(uid), removedIds: new Set(), written: undefined }
      this.#writes.set(uid, write)
    }
    return write
  }

  #uidStreams({ uid }: SessionWrite): readonly string[] {
    return this.#context.log.store.keys.streams('uid', uid)
  }
}

function sidAt({ authorizations }: Payload, clientId: string): unknown {
  if (typeof authorizations !== 'object' || authorizations === null || !Object.hasOwn(authorizations, clientId))
    return undefined
  return (authorizations as Readonly<Record<string, { readonly sid?: unknown } | undefined>>)[clientId]?.sid
}

function clientsOf({ authorizations }: Payload): ReadonlySet<string> {
  return new Set(typeof authorizations === 'object' && authorizations !== null ? Object.keys(authorizations) : [])
}
