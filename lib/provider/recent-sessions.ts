import type { Payload } from './models.ts'

/** A state of a session that application code has seen. */
export interface SeenSession {
  readonly payload: Payload
  /** The commit that left it. */
  readonly commit: string
}

/** The most sessions that are remembered. */
const MAX_SESSIONS = 1_000

/**
 * The states that application code has read outside requests, newest last: a session that it saves says nothing of the
 * state it is based on, and what others have written in between must not be taken for removed.
 */
export class RecentSessions {
  readonly #seen = new Map<string, SeenSession>()

  get(uid: string): SeenSession | undefined {
    return this.#seen.get(uid)
  }

  remember(uid: string, seen: SeenSession): void {
    this.#seen.delete(uid)
    this.#seen.set(uid, seen)
    const [oldest] = this.#seen.keys()
    if (this.#seen.size > MAX_SESSIONS && oldest !== undefined) this.#seen.delete(oldest)
  }

  forget(uid: string): void {
    this.#seen.delete(uid)
  }
}
