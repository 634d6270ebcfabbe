import type { Commit, DataKey, EventStore, KeyRing } from '../../lib/index.ts'
import { dataKeyIn } from '../../lib/secrets/key-ring.ts'

/*
 * What the log says of logouts, read without the plugin's code: an account of its own, from the names of the facts and
 * what `docs/guides/back-channel-logout.md` says of them.
 */

/** A login that an RP is to be told of when it ends. */
interface LoggedLogin {
  readonly uid: string
  readonly account: string
  readonly clientId: string
  readonly sid: string
}

/** How a delivery ended. */
export interface Settlement {
  /** The last part of the fact's name. */
  readonly kind: 'sent' | 'rejected' | 'abandoned' | 'superseded'
  readonly delivery: string
  readonly round: number
  readonly at: number
  readonly attempts: number
  readonly status: number | undefined
}

/** A login that has ended: its RP is owed a token. */
export interface LoggedOwed extends LoggedLogin {
  readonly settlements: Settlement[]
  /** Attempts of which the log says that they failed. */
  failures: number
}

/** An end of a session, or of logins in it. */
export interface LoggedEnd {
  readonly uid: string
  readonly position: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly reason: string
  readonly scope: 'session' | 'logins'
  readonly actor: string | undefined
  readonly owed: readonly LoggedOwed[]
}

const STREAM = 'session_logout:'
const SETTLEMENTS = ['sent', 'rejected', 'abandoned', 'superseded'] as const

/** The logouts that a log tells of. */
export class Logged {
  readonly ends: LoggedEnd[] = []
  /** What does not fit together in it. */
  readonly oddities: string[] = []
  readonly #keys: KeyRing
  readonly #dataKeys: ReadonlyMap<string, DataKey>
  readonly #live = new Map<string, LoggedLogin[]>()
  readonly #sessions = new Map<string, Set<string>>()
  readonly #owedByEnd = new Map<number, LoggedOwed[]>()

  /** @param dataKeys - those of accounts, by their ids */
  constructor(commits: readonly Commit[], keys: KeyRing, dataKeys: ReadonlyMap<string, DataKey>) {
    this.#keys = keys
    this.#dataKeys = dataKeys
    for (const commit of commits) for (const event of commit.events) this.#read(commit, event)
  }

  /** Logins that have not ended. */
  get living(): readonly LoggedLogin[] {
    return [...this.#live.values()].flat()
  }

  /** How many sessions the account had with a login that was registered. */
  sessionsOf(account: string): number {
    return this.#sessions.get(account)?.size ?? 0
  }

  #read(commit: Commit, { stream, type, data }: Commit['events'][number]): void {
    if (!stream.startsWith(STREAM)) return
    const uid = stream.slice(STREAM.length)
    const name = type.split('.').at(-1) ?? ''
    if (name === 'registered') this.#registered(uid, stream, data)
    else if (name === 'terminated') this.#terminated(commit, uid, data)
    else if (name === 'attempt_failed') this.#attemptFailed(data)
    else this.#settled(commit, name, data)
  }

  #registered(uid: string, stream: string, data: Record<string, unknown>): void {
    const clientId = String(data['client_id'])
    const sid = String(data['oidc_session_id'])
    const live = this.#live.get(uid) ?? []
    this.#live.set(uid, live)
    if (live.some((login) => login.clientId === clientId && login.sid === sid)) return
    const sealed = String(data['user_id'])
    const account = String(this.#keys.open(sealed, stream, this.#dataKeys.get(dataKeyIn(sealed) ?? '')))
    live.push({ uid, clientId, sid, account })
    this.#sessions.set(account, (this.#sessions.get(account) ?? new Set()).add(uid))
  }

  #terminated({ position, at }: Commit, uid: string, data: Record<string, unknown>): void {
    const { scope, reason, actor } = data
    const live = this.#live.get(uid) ?? []
    const isMeant = ({ sid }: LoggedLogin): boolean => scope === 'session' || (scope as string[]).includes(sid)
    const owed = live.filter(isMeant).map((login) => ({ ...login, settlements: [], failures: 0 }))
    this.#live.set(
      uid,
      live.filter((login) => !isMeant(login)),
    )
    this.#owedByEnd.set(position, owed)
    this.ends.push({
      uid,
      position,
      at,
      reason: String(reason),
      scope: scope === 'session' ? 'session' : 'logins',
      actor: actor === undefined ? undefined : String(actor),
      owed,
    })
  }

  #attemptFailed(data: Record<string, unknown>): void {
    const owed = this.#owed(data)
    if (owed) owed.failures += 1
  }

  #settled({ at, position }: Commit, name: string, data: Record<string, unknown>): void {
    const kind = SETTLEMENTS.find((settlement) => settlement === name)
    if (!kind) {
      this.oddities.push(`position ${position}: nobody here knows "${name}"`)
      return
    }
    this.#owed(data)?.settlements.push({
      kind,
      delivery: String(data['delivery']),
      round: Number(data['round'] ?? 0),
      at,
      attempts: Number(data['attempt'] ?? data['attempts']),
      status: data['status'] === undefined ? undefined : Number(data['status']),
    })
  }

  /** A delivery's name begins with the position of the end that it is owed for. */
  #owed(data: Record<string, unknown>): LoggedOwed | undefined {
    const delivery = String(data['delivery'])
    const owed = this.#owedByEnd.get(Number.parseInt(delivery, 10)) ?? []
    const found = owed.filter(({ clientId }) => clientId === data['client_id'])
    if (found.length !== 1)
      this.oddities.push(`delivery ${delivery} to ${data['client_id']}: ${found.length} logins are meant by it`)
    return found[0]
  }
}

/** The keys of all accounts. */
export async function dataKeysOf({ keys, accountKeys }: EventStore): Promise<Map<string, DataKey>> {
  const records = await accountKeys.list({ limit: 1_000_000 })
  return new Map(records.map(({ id, sealed = '' }) => [id, keys.openDataKey(id, sealed)]))
}
