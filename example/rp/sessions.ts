import type { CreateSessionOptions } from 'koa-session'

/** Who is logged in, and what it takes to find the session by a logout token, which has `sid`, `sub` or both. */
export interface Login {
  readonly sub: string
  /** The OP's name for this login (Back-Channel Logout 1.0 section 2.1). */
  readonly sid: string
  readonly name: string
  /** Milliseconds since 1970. */
  readonly since: number
  /** Tells the OP which login is meant when the user logs out here (RP-Initiated Logout 1.0 section 2). */
  readonly idToken: string
}

/** What is left of a login that ended: why, for the page to say. */
export interface Ended {
  readonly name: string
  readonly at: number
  readonly by: 'op' | 'user'
}

/** What this RP keeps for a browser. */
export interface RpSession {
  login?: Login
  ended?: Ended
  /** An authorization request that is on its way. */
  pending?: { readonly state: string; readonly nonce: string; readonly codeVerifier: string }
}

interface Stored extends RpSession {
  /** When koa-session takes it for expired, milliseconds since 1970. */
  readonly _expire?: number
}

/** An ended `sid` is remembered for longer than a login or a request takes, in milliseconds. */
const REMEMBER_MS = 10 * 60_000

/**
 * The RP's sessions: a store for koa-session in which a logout token finds what it ends. In memory, for one process;
 * with Redis or a database it is the same three methods and an index of `sid` and `sub`.
 */
export class Sessions {
  readonly #sessions = new Map<string, Stored>()
  readonly #endedSids = new Map<string, number>()
  readonly #changed: (key: string) => void

  /** @param changed - called with the key of a session that is not what it was */
  constructor(changed: (key: string) => void) {
    this.#changed = changed
  }

  /** For koa-session. */
  readonly store: NonNullable<CreateSessionOptions['store']> = {
    get: async (key: string) => this.#sessions.get(key),
    set: async (key: string, session: Stored) => {
      this.#sweep()
      // A request that was under way while the session ended would bring it back, and so would a login whose logout
      // token was faster than the browser.
      this.#sessions.set(key, this.#hasEnded(session.login) ? withoutLogin(session) : session)
    },
    destroy: async (key: string) => {
      this.#sessions.delete(key)
      this.#changed(key)
    },
  }

  /**
   * Ends what a logout token names: with a `sid` that session and no other, without one all of the subject's. None is
   * no error: it may have ended before.
   *
   * @returns how many ended
   */
  end({ sub, sid }: { readonly sub?: string | undefined; readonly sid?: string | undefined }): number {
    if (sid !== undefined) this.#endedSids.set(sid, Date.now())
    let count = 0
    for (const [key, session] of this.#sessions) {
      const { login } = session
      if (login === undefined || (sid === undefined ? login.sub !== sub : login.sid !== sid)) continue
      this.#endedSids.set(login.sid, Date.now())
      this.#sessions.set(key, withoutLogin(session))
      this.#changed(key)
      count++
    }
    return count
  }

  #hasEnded(login: Login | undefined): boolean {
    return login !== undefined && this.#endedSids.has(login.sid)
  }

  #sweep(): void {
    const now = Date.now()
    for (const [key, { _expire }] of this.#sessions)
      if (_expire !== undefined && _expire < now) this.#sessions.delete(key)
    for (const [sid, at] of this.#endedSids) if (at < now - REMEMBER_MS) this.#endedSids.delete(sid)
  }
}

/** Why a login is gone. */
export function endedNow(login: Login | undefined, by: Ended['by']): Ended {
  return { name: login?.name ?? '', at: Date.now(), by }
}

function withoutLogin({ login, ...rest }: Stored): Stored {
  return { ...rest, ended: endedNow(login, 'op') }
}
