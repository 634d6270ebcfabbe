import { SessionChangedError } from '../errors.ts'
import type { Appended, Commit, JsonObject, NewEvent } from '../log/commit.ts'
import type { ModelLog } from './model-log.ts'
import type { ModelState } from './model-state.ts'
import type { Payload } from './models.ts'
import type { Cause } from './session-change.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/** A session as the log has it. */
export interface SessionState {
  readonly uid: string
  readonly payload: Payload
  /** What the plugin of this name keeps with it. */
  note(plugin: string): JsonObject | undefined
  /** The commit that left this state. */
  readonly commit: string
}

/** A grant as the log has it. */
export interface GrantState {
  readonly id: string
  readonly accountId?: string
  readonly clientId?: string
  /** When it expires, in seconds since 1970. */
  readonly exp?: number
}

/** How a session is to be ended. */
export interface EndWish {
  readonly cause: Cause
  /**
   * Which of the grants that the session's logins stand on are revoked with it: none; those that do not outlive a logout
   * (`persistsLogout`, which the provider sets where `offline_access` was granted); all.
   */
  readonly grants: 'none' | 'loose' | 'all'
  /** Only this client's login. Default: the whole session. */
  readonly clientId?: string
  /** Asked of the state that would be ended, each time anew: a session that was written meanwhile is another matter. */
  readonly onlyIf?: (session: SessionState) => boolean
}

/** A session that was ended, or a login in it. */
export interface Ended {
  /** The state that it had. */
  readonly session: SessionState
  /** The grants that were revoked. */
  readonly grantIds: readonly string[]
  readonly appended: Appended
}

/** Which session: by its uid, or by the streams of it that a commit names. */
export type SessionName = string | readonly string[]

/** How a session stands: its state, or where it ended. */
export type SessionStanding =
  | { readonly lives: SessionState }
  | { readonly ended: { readonly position: number; readonly streams: readonly string[] } }

/**
 * Ends sessions and grants that no request is about: one commit for each, that closes the session, revokes the grants
 * and holds what the observers say of it. What was in flight loses.
 */
export interface Endings {
  /** Undefined: there is no such session any more, or `onlyIf` says no. */
  end(session: SessionName, wish: EndWish): Promise<Ended | undefined>
  /**
   * Revokes a grant and what lives under it. Undefined: it is gone already.
   *
   * @param facts - what to record in the same commit
   */
  revoke(
    grantId: string,
    cause: Cause,
    facts: (grant: GrantState) => readonly NewEvent[],
  ): Promise<Appended | undefined>
  /** Undefined: there never was one. */
  look(session: SessionName): Promise<SessionStanding | undefined>
  /** The sessions that a commit stores: whatever became of them since. */
  sessionsStoredBy(commit: Commit): readonly SessionName[]
  /** The grants that a commit stores, as it stores them. */
  grantsStoredBy(commit: Commit): readonly GrantState[]
  /** The grant as it is now. Undefined: it is gone. */
  grant(grantId: string): Promise<GrantState | undefined>
}

/** A session that is written again each time it is looked at keeps its end waiting for so many looks. */
const MOST_TRIES = 64

/** How endings work: a unit of their own for each, decided on what it has read. */
export class UnitEndings implements Endings {
  readonly #log: ModelLog
  readonly #open: (cause: Cause) => UnitOfWork

  constructor(log: ModelLog, open: (cause: Cause) => UnitOfWork) {
    this.#log = log
    this.#open = open
  }

  async end(name: SessionName, wish: EndWish): Promise<Ended | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#end(this.#streamsOf(name), wish)
      } catch (error) {
        if (!(error instanceof SessionChangedError) || tries >= MOST_TRIES) throw error
      }
    }
  }

  async #end(names: readonly string[], { cause, grants, clientId, onlyIf }: EndWish): Promise<Ended | undefined> {
    const unit = this.#open(cause)
    const state = await unit.readSession(names)
    if (!state) return undefined
    const session = sessionOf(state)
    if (onlyIf && !onlyIf(session)) return undefined
    const logins = authorizationsOf(state.payload).filter(([client]) => clientId === undefined || client === clientId)
    if (clientId !== undefined && logins.length === 0) return undefined
    const grantIds = grantsToRevoke(logins, grants)
    await Promise.all(grantIds.map((grantId) => unit.revoke(grantId)))
    if (clientId === undefined) unit.endSession(state)
    else unit.removeAuthorization(state, clientId)
    const appended = await unit.commit()
    return appended && { session, grantIds, appended }
  }

  async revoke(
    grantId: string,
    cause: Cause,
    facts: (grant: GrantState) => readonly NewEvent[],
  ): Promise<Appended | undefined> {
    const unit = this.#open(cause)
    const payload = await unit.find('Grant', grantId)
    if (!payload) return undefined
    await unit.revoke(grantId)
    unit.record(facts(grantOf(payload)))
    return unit.commit()
  }

  async look(name: SessionName): Promise<SessionStanding | undefined> {
    const head = await this.#log.findSessionUnder(this.#streamsOf(name))
    if (!head) return undefined
    return 'state' in head ? { lives: sessionOf(head.state) } : { ended: head.ended }
  }

  sessionsStoredBy(commit: Commit): readonly SessionName[] {
    return this.#log.sessionsStoredBy(commit)
  }

  grantsStoredBy(commit: Commit): readonly GrantState[] {
    return this.#log.grantsStoredBy(commit).map(({ payload }) => grantOf(payload))
  }

  async grant(grantId: string): Promise<GrantState | undefined> {
    const state = await this.#log.find('Grant', grantId)
    return state && grantOf(state.payload)
  }

  #streamsOf(name: SessionName): readonly string[] {
    return typeof name === 'string' ? this.#log.store.keys.streams('uid', name) : name
  }
}

interface Authorization {
  readonly sid?: string
  readonly grantId?: string
  readonly persistsLogout?: boolean
}

function authorizationsOf({ authorizations }: Payload): [string, Authorization][] {
  return typeof authorizations === 'object' && authorizations !== null ? Object.entries(authorizations) : []
}

function grantsToRevoke(logins: readonly [string, Authorization][], which: EndWish['grants']): string[] {
  return logins.flatMap(([, { grantId, persistsLogout }]) =>
    grantId !== undefined && (which === 'all' || (which === 'loose' && !persistsLogout)) ? [grantId] : [],
  )
}

function sessionOf({ payload, notes, commit }: ModelState): SessionState {
  return { uid: String(payload['uid']), payload, note: (plugin) => notes[plugin], commit }
}

function grantOf({ jti, accountId, clientId, exp }: Payload): GrantState {
  return {
    id: String(jti),
    ...(typeof accountId === 'string' && { accountId }),
    ...(typeof clientId === 'string' && { clientId }),
    ...(typeof exp === 'number' && { exp }),
  }
}
