import { AlreadyClaimedError, SessionChangedError } from '../errors.ts'
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
  readonly payload: Payload
  /** The commit that left this state. */
  readonly commit: string
}

/** How a session is to be ended. */
export interface TerminationOptions {
  readonly cause: Cause
  /**
   * Which of the grants that the session's logins stand on are revoked with it: none; those that do not outlive a logout
   * (`persistsLogout`, which the provider sets where `offline_access` was granted); all.
   */
  readonly grants: 'none' | 'sessionBound' | 'all'
  /** Grants that are not revoked with it: another session stands on them, too. Default: none. */
  readonly keptGrants?: ReadonlySet<string>
  /** Only this client's login. Default: the whole session. */
  readonly clientId?: string
  /** Asked of the state that would be ended, each time anew: a session that was written meanwhile is another matter. */
  readonly onlyIf?: (session: SessionState) => boolean
}

/** A session that ends, or a login in it. */
export interface TerminationPlan {
  /** The state that it had. */
  readonly session: SessionState
  /** The grants that are revoked with it: those that lived until then. */
  readonly grantIds: readonly string[]
}

/** An end, as it was stored. */
export interface TerminationResult extends TerminationPlan {
  readonly appended: Appended
}

/** Which session: by its uid, or by the streams of it that a commit names. */
export type SessionName = string | readonly string[]

/** Which grant: by its id, or by the streams of it that a commit names. */
export type GrantName = string | readonly string[]

/** The state of a session, or the place where it ended. */
export type SessionStatus =
  | { readonly live: SessionState }
  | { readonly ended: { readonly position: number; readonly streams: readonly string[] } }

/**
 * Ends sessions and grants that no request is about: one commit for each, that closes the session, revokes the grants
 * and holds what the observers say of it. What was in flight loses.
 */
export interface SessionTerminator {
  /**
   * Undefined: there is no such session any more, or `onlyIf` says no, or there is no such login in it; one without a sid
   * was only started, and is none.
   */
  end(session: SessionName, options: TerminationOptions): Promise<TerminationResult | undefined>
  /** What `end` would end now. */
  preview(session: SessionName, options: TerminationOptions): Promise<TerminationPlan | undefined>
  /**
   * Revokes a grant and what was issued under it. Undefined: it does not exist any more.
   *
   * @param facts - what to record in the same commit
   */
  revoke(grantId: string, cause: Cause, facts: readonly NewEvent[]): Promise<Appended | undefined>
  /** Undefined: there never was one. */
  status(session: SessionName): Promise<SessionStatus | undefined>
  /** The session that holds, or held last, the login with this `sid`. Undefined: none does. */
  findBySid(sid: string): Promise<SessionName | undefined>
  /** The sessions that a commit stores: whatever became of them since. */
  sessionsStoredBy(commit: Commit): readonly SessionName[]
  /** The sessions with an account that a commit stores, as it stores them. */
  loggedInBy(commit: Commit): Promise<readonly SessionState[]>
  /** The grants that a commit stores, as it stores them; only those of this client, where one is named. */
  grantsStoredBy(commit: Commit, clientId?: string): Promise<readonly GrantState[]>
  /** The grant as it is now. Undefined: it is gone. */
  grant(grant: GrantName): Promise<GrantState | undefined>
}

/** The most attempts to end a session that other processes write in between. */
const MAX_TRIES = 64

/** Ends each session and grant by a unit of work of its own, decided on what it has read. */
export class UnitSessionTerminator implements SessionTerminator {
  readonly #log: ModelLog
  readonly #open: (cause: Cause) => UnitOfWork

  constructor(log: ModelLog, open: (cause: Cause) => UnitOfWork) {
    this.#log = log
    this.#open = open
  }

  async end(name: SessionName, options: TerminationOptions): Promise<TerminationResult | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#end(this.#streams('uid', name), options)
      } catch (error) {
        if (!(error instanceof SessionChangedError) || tries >= MAX_TRIES) throw error
      }
    }
  }

  async preview(name: SessionName, options: TerminationOptions): Promise<TerminationPlan | undefined> {
    const head = await this.#log.findSessionUnder(this.#streams('uid', name))
    const ending = head && 'state' in head ? planOf(head.state, options) : undefined
    if (!ending) return undefined
    const grants = await Promise.all(ending.grantIds.map((grantId) => this.#log.find('Grant', grantId)))
    return { ...ending, grantIds: ending.grantIds.filter((_, index) => grants[index] !== undefined) }
  }

  async #end(names: readonly string[], options: TerminationOptions): Promise<TerminationResult | undefined> {
    const unit = this.#open(options.cause)
    const state = await unit.readSession(names)
    const ending = state && planOf(state, options)
    if (!ending) return undefined
    const lived = await Promise.all(ending.grantIds.map((grantId) => unit.revoke(grantId)))
    if (options.clientId === undefined) unit.endSession(state, (newest) => planOf(newest, options) !== undefined)
    else unit.removeAuthorization(state, options.clientId)
    const appended = await unit.commit()
    return appended && { ...ending, grantIds: ending.grantIds.filter((_, index) => lived[index]), appended }
  }

  async revoke(grantId: string, cause: Cause, facts: readonly NewEvent[]): Promise<Appended | undefined> {
    const unit = this.#open(cause)
    const { stored, generation } = await this.#log.record('Grant', grantId)
    if (!stored) return undefined
    await unit.revoke(grantId)
    unit.record(facts)
    // Of two simultaneous revocations one is stored: its facts are recorded once, and the RP is told once. Two issuers
    // may each have a grant with this id; and one that came back after all of it had gone is revoked anew.
    const mark = `#revoked@${generation} ${stored.commit.id} ${stored.commit.meta.instance ?? ''}`
    const marks = this.#log.store.keys.streams('Grant', grantId).map((name) => `${name}${mark}`)
    unit.claimOnce(marks)
    try {
      return await unit.commit()
    } catch (error) {
      if (error instanceof AlreadyClaimedError && marks.includes(error.mark)) return undefined
      throw error
    }
  }

  async status(name: SessionName): Promise<SessionStatus | undefined> {
    const head = await this.#log.findSessionUnder(this.#streams('uid', name))
    if (!head) return undefined
    return 'state' in head ? { live: sessionOf(head.state) } : { ended: head.ended }
  }

  findBySid(sid: string): Promise<SessionName | undefined> {
    return this.#log.sessionWithSid(sid)
  }

  sessionsStoredBy(commit: Commit): readonly SessionName[] {
    return this.#log.sessionsStoredBy(commit)
  }

  async loggedInBy(commit: Commit): Promise<readonly SessionState[]> {
    return (await this.#log.loggedInBy(commit)).map(sessionOf)
  }

  async grantsStoredBy(commit: Commit, clientId?: string): Promise<readonly GrantState[]> {
    return (await this.#log.grantsStoredBy(commit, clientId)).map(grantOf)
  }

  async grant(name: GrantName): Promise<GrantState | undefined> {
    const state = await this.#log.findUnder('Grant', this.#streams('Grant', name))
    return state && grantOf(state)
  }

  #streams(kind: 'uid' | 'Grant', name: SessionName | GrantName): readonly string[] {
    return typeof name === 'string' ? this.#log.store.keys.streams(kind, name) : name
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

function planOf(
  state: ModelState,
  { grants, keptGrants, clientId, onlyIf }: TerminationOptions,
): TerminationPlan | undefined {
  const session = sessionOf(state)
  if (onlyIf && !onlyIf(session)) return undefined
  const logins = authorizationsOf(state.payload).filter(
    ([client, { sid }]) => clientId === undefined || (client === clientId && sid !== undefined),
  )
  if (clientId !== undefined && logins.length === 0) return undefined
  const grantIds = logins.flatMap(([, { grantId, persistsLogout }]) =>
    grantId !== undefined && (grants === 'all' || (grants === 'sessionBound' && !persistsLogout)) ? [grantId] : [],
  )
  return { session, grantIds: [...new Set(grantIds)].filter((grantId) => !keptGrants?.has(grantId)) }
}

function sessionOf({ payload, notes, commit }: ModelState): SessionState {
  return { uid: String(payload['uid']), payload, note: (plugin) => notes[plugin], commit }
}

function grantOf({ payload, commit }: ModelState): GrantState {
  const { jti, accountId, clientId, exp } = payload
  return {
    id: String(jti),
    payload,
    commit,
    ...(typeof accountId === 'string' && { accountId }),
    ...(typeof clientId === 'string' && { clientId }),
    ...(typeof exp === 'number' && { exp }),
  }
}
