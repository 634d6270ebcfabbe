import {
  type Commit,
  componentLogger,
  isUnreadable,
  type JsonObject,
  type Logger,
  type NewWork,
  type SessionState,
  type SessionTerminator,
} from '../../../lib/index.ts'
import { hasRegistered } from '../recording/logins.ts'
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

/** What the planner knows of a session's looks. Times in milliseconds since 1970. */
interface Seen {
  /** When the next look is. */
  readonly next: number
  /** Whether it was planned here, or follows from one that was: such a one goes to the expiry that it finds. */
  readonly planned: boolean
  /** The expiry of the state that was seen last. */
  readonly expiry: number
}

/** Looks to make, and what is known once they are made. */
export interface PlannedLooks {
  readonly looks: readonly NewWork[]
  /** To be called when they are stored: until then they are planned anew. */
  remember(): void
}

/**
 * Plans a look at each session that an RP is to be told of. A session that is written again and again is looked at once,
 * when its earliest state would have expired; that look makes the next one, for when it really may have. An expiry that
 * moves back is a look of its own, so that it is not missed.
 */
export class ExpiryPlanner {
  readonly #endings: SessionTerminator
  readonly #toleranceSeconds: number
  readonly #logger: Logger
  readonly #seen = new Map<string, Seen>()

  constructor(endings: SessionTerminator, toleranceSeconds: number, logger: Logger) {
    this.#endings = endings
    this.#toleranceSeconds = toleranceSeconds
    this.#logger = componentLogger(logger, 'expiry')
  }

  /**
   * @param now - milliseconds since 1970
   * @param issuer - of sessions that do not say whose they are
   */
  async plan(commits: readonly Commit[], now: number, issuer: string): Promise<PlannedLooks> {
    const seen = new Map<string, Seen>()
    const sessions = await Promise.all(commits.map((commit) => this.#loggedInBy(commit)))
    const looks = commits
      .flatMap((commit, index) =>
        (sessions[index] ?? [])
          .filter(hasRegistered)
          .flatMap((session) => lookAt(session, commit.meta.instance ?? issuer, this.#toleranceSeconds)),
      )
      .filter(({ body, lane, dueAt }) => {
        // A provider that got another issuer writes it as that one: the former one's look would find nothing.
        const session = `${lane} ${String(body['uid'])}`
        const before = seen.get(session) ?? this.#seen.get(session)
        const after = seenAfter(before, dueAt, now)
        seen.set(session, after)
        return after.planned && !(before?.planned && before.next === after.next)
      })
    return { looks, remember: () => this.#remember(seen) }
  }

  /** One that cannot be read must not keep the planner from all the others, nor from what ended already. */
  async #loggedInBy(commit: Commit): Promise<readonly SessionState[]> {
    try {
      return await this.#endings.loggedInBy(commit)
    } catch (err) {
      if (!isUnreadable(err)) throw err
      this.#logger.warn(
        { event: 'session_unreadable', err, position: commit.position },
        'a session cannot be read: its expiry will not be noticed',
      )
      return []
    }
  }

  #remember(seen: ReadonlyMap<string, Seen>): void {
    for (const [session, after] of seen) {
      this.#seen.delete(session)
      this.#seen.set(session, after)
      const [oldest] = this.#seen.keys()
      if (this.#seen.size > REMEMBERED && oldest !== undefined) this.#seen.delete(oldest)
    }
  }
}

/** What is known of a session's looks once it was written so that it expires then: a look at that time, or an earlier one. */
function seenAfter(before: Seen | undefined, expiry: number, now: number): Seen {
  if (before && before.next > now && before.next <= expiry && (before.planned || expiry >= before.expiry))
    return { ...before, expiry }
  // The look that was planned has come meanwhile, and has found an expiry that was not before this one.
  if (before && before.next <= now && before.expiry > now && before.expiry <= expiry)
    return { next: before.expiry, planned: false, expiry }
  return { next: expiry, planned: true, expiry }
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
