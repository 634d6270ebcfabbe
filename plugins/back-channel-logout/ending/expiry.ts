import type { Commit, Endings, JsonObject, NewWork, SessionState } from '../../../lib/index.ts'
import { NOTE, notedIn } from '../recording/noted.ts'
import { lanePrefix } from '../work/lanes.ts'

/** A look at a session, at the time at which it may have expired. */
export interface Expiry {
  readonly kind: 'expiry'
  readonly uid: string
}

/** The lane of the sessions of an issuer that may expire. */
export function expiryLane(issuer: string): string {
  return `${lanePrefix(issuer)}expiry`
}

/**
 * When a session has expired, in milliseconds since 1970: by its newest state (the expiry can move back), and as late as
 * any process of the provider might still take it. Undefined: never.
 */
export function deadlineOf({ payload }: SessionState, toleranceSeconds: number): number | undefined {
  const { exp } = payload
  return typeof exp === 'number' ? (exp + toleranceSeconds) * 1_000 : undefined
}

/** So many sessions are remembered with the look that waits for them. */
const REMEMBERED = 50_000

/**
 * Plans a look at each session that an RP is to be told of. A session that is written again and again is looked at once,
 * when its earliest state would have expired, and then again when it really may have. An expiry that moves back is a look
 * of its own, so that it is not missed.
 */
export class ExpiryPlanner {
  readonly #endings: Endings
  readonly #toleranceSeconds: number
  readonly #next = new Map<string, number>()

  constructor(endings: Endings, toleranceSeconds: number) {
    this.#endings = endings
    this.#toleranceSeconds = toleranceSeconds
  }

  /**
   * @param now - milliseconds since 1970
   * @param issuer - of sessions that do not say whose they are
   */
  plan(commits: readonly Commit[], now: number, issuer: string): NewWork[] {
    return commits.flatMap((commit) =>
      this.#endings
        .loggedInBy(commit)
        .filter((session) => notedIn(session.note(NOTE)).length > 0)
        .flatMap((session) => lookAt(session, commit.meta.instance ?? issuer, this.#toleranceSeconds))
        .filter((look) => this.#isNew(look, now)),
    )
  }

  /** Whether no earlier look is still to come. */
  #isNew({ body, dueAt }: NewWork, now: number): boolean {
    const uid = String(body['uid'])
    const next = this.#next.get(uid)
    if (next !== undefined && next > now && next <= dueAt) return false
    this.#next.delete(uid)
    this.#next.set(uid, dueAt)
    const [oldest] = this.#next.keys()
    if (this.#next.size > REMEMBERED && oldest !== undefined) this.#next.delete(oldest)
    return true
  }
}

/** The look at a session when it may have expired. Planning it twice makes it once. */
export function lookAt(session: SessionState, issuer: string, toleranceSeconds: number): NewWork[] {
  const dueAt = deadlineOf(session, toleranceSeconds)
  if (dueAt === undefined) return []
  const body: Expiry = { kind: 'expiry', uid: session.uid }
  return [
    { id: `expiry/${session.uid}@${dueAt}`, lane: expiryLane(issuer), dueAt, body: body as unknown as JsonObject },
  ]
}
