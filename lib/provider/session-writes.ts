import { SessionChangedError } from '../errors.ts'
import type { Claim, JsonObject, NewEvent } from '../log/commit.ts'
import type { SessionEnd } from './model-log.ts'
import type { ModelState, Notes } from './model-state.ts'
import type { Payload } from './models.ts'
import { rebase } from './session-rebase.ts'
import { eventOf, indexOf, namesOf } from './staged.ts'
import { isDecidedOnRead, type UnitOrigin } from './unit-origin.ts'
import type { UnitSurroundings } from './unit-surroundings.ts'

/** One session in one unit of work: how it was read, what is to become of it. */
interface SessionWrite {
  readonly uid: string
  /** The state that the change follows. */
  base: ModelState | undefined
  /** The commit that it follows, where that left no state. */
  after?: string
  /** The cookie values under which it stops being found. */
  readonly gone: Set<string>
  /** The state to write; absent when it ends. */
  written: { readonly id: string; payload: Payload } | undefined
}

/**
 * The session writes of a unit of work. A session is written with a claim on the state that was read: one commit only
 * may follow each, so no request overwrites what another wrote, and what was in flight when a session ended loses.
 */
export class SessionWrites {
  readonly #around: UnitSurroundings
  readonly #origin: UnitOrigin
  readonly #bases = new Map<string, ModelState>()
  readonly #writes = new Map<string, SessionWrite>()

  constructor(around: UnitSurroundings, origin: UnitOrigin) {
    this.#around = around
    this.#origin = origin
  }

  /** Remembers the first state that the unit saw of a session: what it decides is decided on that. */
  read(state: ModelState): void {
    const uid = String(state.payload['uid'])
    if (!this.#bases.has(uid)) this.#bases.set(uid, state)
    if (this.#origin.kind === 'application') this.#around.recentSessions.remember(uid, state)
  }

  /** What the unit has made of the session with this cookie value, if it did: gone, or written. */
  writtenAs(id: string): { payload: Payload | undefined } | undefined {
    for (const { written, gone } of this.#writes.values()) {
      if (written?.id === id) return { payload: written.payload }
      if (gone.has(id)) return { payload: undefined }
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
    write.gone.delete(id)
    if (write.written && write.written.id !== id) write.gone.add(write.written.id)
    write.written = { id, payload }
  }

  /** A destroy. Whether the session ends or rotates is known only when the unit is complete. */
  end(id: string): void {
    for (const write of this.#writes.values()) {
      if (write.written?.id === id) {
        write.written = undefined
        write.gone.add(id)
        return
      }
    }
    for (const [uid, { payload }] of this.#bases) {
      if (payload['jti'] === id) this.#of(uid).gone.add(id)
    }
  }

  /** The end of a session whose cookie value has rotated since the application read it. */
  endRotated(state: ModelState): void {
    this.read(state)
    this.#of(String(state.payload['uid'])).gone.add(String(state.payload['jti']))
  }

  /** Whether a session ends. A rotation takes nothing away: the browser that never saw the new cookie keeps the old one. */
  get endsOne(): boolean {
    return [...this.#writes.values()].some(({ gone, written }) => gone.size > 0 && !written)
  }

  async build(): Promise<{ events: NewEvent[]; claims: Claim[]; expiry: (number | undefined)[] }> {
    const built = { events: [] as NewEvent[], claims: [] as Claim[], expiry: [] as (number | undefined)[] }
    for (const write of this.#writes.values()) {
      if (!isDecidedOnRead(this.#origin) && !(await this.#readNewest(write))) continue
      if (!write.base && !write.written) continue
      await this.#buildOne(write, built)
    }
    return built
  }

  /**
   * After another commit followed the state that a write is based on: takes the newer state as the base and puts the
   * change on top of it. False: the stream is none of the unit's sessions.
   *
   * @throws SessionChangedError when there is nothing to rebase on
   */
  async catchUp(stream: string): Promise<boolean> {
    for (const write of this.#writes.values()) {
      if (!this.#uidStreams(write).includes(stream)) continue
      if (isDecidedOnRead(this.#origin)) await this.#rebase(write)
      return true
    }
    return false
  }

  async #rebase(write: SessionWrite): Promise<void> {
    const head = await this.#around.log.findSession(write.uid)
    if (!head || !('state' in head)) throw new SessionChangedError('it has ended')
    if (!write.base) throw new SessionChangedError('its uid is taken')
    const newest = head.state
    if (!write.written) throw new SessionChangedError('it was written while it was being ended')
    this.#assertServes(write.written.payload, write.base.payload, newest.payload)
    const rebased = rebase(
      write.base.payload,
      { ...write.written.payload, jti: write.base.payload['jti'] },
      newest.payload,
    )
    if ('conflict' in rebased) throw new SessionChangedError(rebased.conflict)
    write.base = newest
    write.written = { id: write.written.id, payload: { ...rebased.payload, jti: write.written.id } }
  }

  /**
   * What a request answers its client is about the login that it has read: with an ID token or a code for one that has
   * ended meanwhile, the client would hold a login of which the session knows nothing, and that nobody ever ends.
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
    const head = await this.#around.log.findSession(write.uid)
    if (head && 'ended' in head) return !this.#around.attached && this.#followEnd(write, head.ended)
    write.base = head?.state
    if (this.#around.attached && write.written && head) this.#putOnTop(write, write.written, head.state)
    return true
  }

  /** Where the provider is not attached, a rotation arrives as an end and a write under another id. */
  #followEnd(write: SessionWrite, { commit, streams }: SessionEnd): boolean {
    if (!write.written) return false
    const [name] = this.#around.log.store.keys.streams('Session', write.written.id)
    write.base = undefined
    write.after = commit
    return !streams.includes(name)
  }

  #putOnTop(
    write: SessionWrite,
    { id, payload }: { readonly id: string; readonly payload: Payload },
    newest: ModelState,
  ): void {
    const seen = this.#around.recentSessions.get(write.uid)
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

  /** What application code has written is what it goes on from. */
  committed(commit: string): void {
    if (this.#origin.kind !== 'application') return
    for (const { uid, written } of this.#writes.values()) {
      if (written) this.#around.recentSessions.remember(uid, { payload: written.payload, commit })
      else this.#around.recentSessions.forget(uid)
    }
  }

  async #buildOne(
    write: SessionWrite,
    built: { events: NewEvent[]; claims: Claim[]; expiry: (number | undefined)[] },
  ): Promise<void> {
    const { base, written } = write
    const { events, notes } = await this.#observe(write)
    const keys = this.#around.log.store.keys
    const gone = new Set(write.gone)
    if (base && base.payload['jti'] !== written?.id) gone.add(String(base.payload['jti']))
    for (const id of gone) {
      if (id !== base?.payload['jti']) continue // staged and withdrawn within this unit: it was never in the log
      const index = indexOf(keys, 'Session', base.payload)
      built.events.push(
        eventOf(keys, { model: 'Session', names: namesOf(keys, 'Session', id, base), action: 'destroyed', index }),
      )
    }
    if (written) {
      const { id, payload } = written
      const names = namesOf(keys, 'Session', id, base?.payload['jti'] === id ? base : undefined)
      built.events.push(
        eventOf(
          keys,
          { model: 'Session', names, action: 'stored', payload, index: indexOf(keys, 'Session', payload) },
          notes,
        ),
      )
      built.expiry.push(typeof payload['exp'] === 'number' ? payload['exp'] : undefined)
    }
    built.events.push(...events)
    for (const stream of this.#uidStreams(write))
      built.claims.push({ kind: 'follows', stream, after: base?.commit ?? write.after ?? 'none' })
  }

  async #observe({ uid, base, written }: SessionWrite): Promise<{ events: NewEvent[]; notes: Notes }> {
    const events: NewEvent[] = []
    const notes: Record<string, JsonObject> = { ...base?.notes }
    for (const observer of this.#around.observers) {
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
      write = { uid, base: this.#bases.get(uid), gone: new Set(), written: undefined }
      this.#writes.set(uid, write)
    }
    return write
  }

  #uidStreams({ uid }: SessionWrite): readonly string[] {
    return this.#around.log.store.keys.streams('uid', uid)
  }
}

function sidAt({ authorizations }: Payload, clientId: string): unknown {
  if (typeof authorizations !== 'object' || authorizations === null || !Object.hasOwn(authorizations, clientId))
    return undefined
  return (authorizations as Readonly<Record<string, { readonly sid?: unknown } | undefined>>)[clientId]?.sid
}
