import { AlreadyClaimedError, ConcurrencyError, SessionChangedError } from '../errors.ts'
import type { Commit, Event } from '../log/commit.ts'
import type { ModelLog } from './model-log.ts'
import { isMoved, isRevoked, ownNames } from './model-record.ts'
import { idOf, type ModelState } from './model-state.ts'
import { accountIn, isModelName, isWrittenByRequests, type Payload } from './models.ts'
import type { IsThere, TakenOver } from './moved-state.ts'
import { loginOf } from './resumed-login.ts'
import type { SessionTerminator } from './session-terminator.ts'
import { type SignOut, signOutSince } from './sign-outs.ts'
import { grantIdOf } from './staged-write.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/** A state that lives. */
export interface LiveState {
  readonly model: string
  /** Undefined: nothing in the state tells it, and the log holds only its hash. */
  readonly id: string | undefined
  /** As an adapter's `find` returns it. */
  readonly payload: Payload
  /** Whether it is as it was taken over from another adapter. */
  readonly moved: boolean
}

/** So many commits are read at once. */
const PAGE = 500

/** The most attempts at an instance that is written in between. */
const MAX_TRIES = 8

/**
 * Takes over what another adapter holds, and lists what lives. Every write is decided on what is in the log and is a commit
 * of its own. What the OP itself has written since always wins, whichever of the two is stored first.
 *
 * Every method rejects with ProviderUnfitError (`PROVIDER_UNFIT`) before `start()` has succeeded.
 */
export interface Mover {
  /**
   * Stores a state of another adapter, unless it is there already or the OP itself has written the instance. A login that
   * began before its account was signed out here is ended at once.
   *
   * @param isThere - whether the other adapter still has the session of this id. It is asked when a session with the same
   *   uid was taken that expires later. Default: it has
   * @throws whatever the store throws
   */
  take(model: string, id: string, payload: Payload, isThere?: IsThere): Promise<TakenOver>
  /** What `take` would do, without doing it. */
  preview(model: string, id: string, payload: Payload, isThere?: IsThere): Promise<TakenOver>
  /**
   * Ends what was taken over and is not in the other adapter any more. False: it has ended, or the OP itself has written
   * it.
   */
  end(model: string, id: string): Promise<boolean>
  /**
   * Every state that lives, in the order in which they were stored, also those that have expired. One that is written
   * meanwhile may come twice.
   */
  states(signal?: AbortSignal): AsyncIterable<readonly LiveState[]>
  /** Whether a request of the provider has written something to this log: the OP on it is in use. */
  isInUse(signal?: AbortSignal): Promise<boolean>
}

/** What a mover works with. */
export interface MoverParts {
  /** Opens a unit of work whose origin is `moving`. */
  openUnit(): UnitOfWork
  /** What ends sessions and grants of this issuer. */
  terminator(): SessionTerminator
  assertStarted(): void
}

/** On a log. */
export class LogMover implements Mover {
  readonly #log: ModelLog
  readonly #openUnit: () => UnitOfWork
  readonly #terminator: () => SessionTerminator
  readonly #assertStarted: () => void

  constructor(log: ModelLog, { openUnit, terminator, assertStarted }: MoverParts) {
    this.#log = log
    this.#openUnit = openUnit
    this.#terminator = terminator
    this.#assertStarted = assertStarted
  }

  async take(model: string, id: string, given: Payload, isThere?: IsThere): Promise<TakenOver> {
    const payload = await this.#asSignedOut(model, given)
    const decided = await this.#decide((unit) => unit.takeOver(model, id, payload, isThere))
    if (decided !== 'stored' && decided !== 'same') return decided
    return (await this.#endIfSignedOut(model, id, payload)) ? 'kept' : decided
  }

  async preview(model: string, id: string, given: Payload, isThere?: IsThere): Promise<TakenOver> {
    const unit = this.#open()
    const payload = await this.#asSignedOut(model, given)
    const decided = await unit.takeOver(model, id, payload, isThere)
    unit.drop()
    return decided === 'same' && payload !== given ? 'kept' : decided
  }

  async end(model: string, id: string): Promise<boolean> {
    return (await this.#decide((unit) => unit.endTakenOver(model, id))) === 'stored'
  }

  async *states(signal?: AbortSignal): AsyncGenerator<readonly LiveState[]> {
    for await (const commits of this.#pages(signal)) {
      const log = this.#log.atOneMoment()
      yield (await Promise.all(commits.map((commit) => statesOf(log, commit)))).flat()
    }
  }

  async isInUse(signal?: AbortSignal): Promise<boolean> {
    for await (const commits of this.#pages(signal)) {
      const own = commits.filter((commit) => !this.#log.isForeign('Session', commit))
      if (own.some(({ events }) => events.some(isOfRequest))) return true
    }
    return false
  }

  /** An interaction whose login was signed out here asks for it again. */
  async #asSignedOut(model: string, payload: Payload): Promise<Payload> {
    if (model !== 'Interaction') return payload
    return (await this.#signOutOf(model, payload)) ? { ...payload, result: undefined } : payload
  }

  /**
   * A sign-out ends what it finds here. What began before it and is taken over later is ended once it is stored: so its RPs
   * are told, and a sign-out that was stored meanwhile is seen. What was there before the sign-out is the matter of whoever
   * ordered that, who may have excepted it.
   */
  async #endIfSignedOut(model: string, id: string, payload: Payload): Promise<boolean> {
    const signOut = await this.#signOutOf(model, payload)
    if (!signOut) return false
    const { cause, position } = signOut
    if (model === 'Session') {
      const uid = String(payload['uid'])
      const head = await this.#log.findSession(uid)
      if (head && 'state' in head && head.state.position < position) return false
      await this.#terminator().end(uid, { cause, grants: 'sessionBound' })
    } else if (model === 'Grant') {
      const grant = await this.#log.find('Grant', id)
      if (grant && grant.position < position) return false
      await this.#terminator().revoke(id, cause, [])
    } else await this.#decide((unit) => unit.takeOver(model, id, { ...payload, result: undefined }))
    return true
  }

  /** The sign-out here that ends what a state of the other adapter holds, if there is one. */
  async #signOutOf(model: string, payload: Payload): Promise<SignOut | undefined> {
    const login = loginIn(model, payload)
    return login && signOutSince(this.#log, login.accountId, { ...login, ofGrants: model === 'Grant' })
  }

  #open(): UnitOfWork {
    this.#assertStarted()
    return this.#openUnit()
  }

  async *#pages(signal?: AbortSignal): AsyncGenerator<readonly Commit[]> {
    this.#assertStarted() // before that nobody knows whose commits are its own
    let after = 0
    for (;;) {
      signal?.throwIfAborted()
      const commits = await this.#log.store.readAll({ after, limit: PAGE })
      const last = commits.at(-1)
      if (!last) return
      after = last.position
      yield commits
    }
  }

  async #decide(stage: (unit: UnitOfWork) => Promise<TakenOver>): Promise<TakenOver> {
    for (let tries = 1; ; tries++) {
      const unit = this.#open()
      const decided = await stage(unit)
      if (decided !== 'stored') return decided
      try {
        await unit.commit()
        return decided
      } catch (error) {
        const isWritten =
          error instanceof SessionChangedError ||
          error instanceof AlreadyClaimedError ||
          error instanceof ConcurrencyError
        if (!isWritten) throw error
        if (tries >= MAX_TRIES) return 'kept'
      }
    }
  }
}

/** The states that a commit stores and that are the newest of their instance. */
async function statesOf(log: ModelLog, commit: Commit): Promise<LiveState[]> {
  const states = commit.events.map(async (event) => {
    const model = String(event.data['model'])
    if (event.type !== 'stored' || !isModelName(model) || log.isForeign(model, commit)) return undefined
    const state = await log.findUnder(model, ownNames(model, event))
    if (state?.commit !== commit.id || (await isRevokedIn(log, state))) return undefined
    const moved = state.moved && state.consumed === consumedIn(event)
    return { model, id: idOf(state), payload: state.payload, moved }
  })
  return (await Promise.all(states)).filter((state) => state !== undefined)
}

async function isRevokedIn(log: ModelLog, { model, payload, grantSeen }: ModelState): Promise<boolean> {
  const grantId = grantIdOf(model, payload)
  return grantId !== undefined && isRevoked(model, grantSeen, await log.record('Grant', grantId))
}

function consumedIn({ data }: Event): number | undefined {
  return typeof data['consumed'] === 'number' ? data['consumed'] : undefined
}

/** Whose login it holds, and when that began, in seconds since 1970. Undefined: nothing that a sign-out ends. */
function loginIn(
  model: string,
  payload: Payload,
): { readonly accountId: string; readonly began: number | undefined } | undefined {
  if (model !== 'Session' && model !== 'Grant' && model !== 'Interaction') return undefined
  const accountId = model === 'Interaction' ? loginOf(payload) : accountIn(model, payload)
  const began = [payload['loginTs'], payload['iat']].find((one) => typeof one === 'number')
  return accountId === undefined ? undefined : { accountId, began }
}

/** Whether it is what only a request of the provider writes. */
function isOfRequest(event: Event): boolean {
  if (event.type !== 'stored' && event.type !== 'consumed') return false
  return !isMoved(event) && isWrittenByRequests(String(event.data['model']), undefined)
}
