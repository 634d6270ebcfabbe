import type {
  Commit,
  Event,
  EventStore,
  IndexEntry,
  IndexPlace,
  IndexTable,
  NewIndexEntry,
} from '../../../lib/index.ts'

/** What lives: the kinds of it that ends are about. */
export type LiveKind = 'session' | 'grant'

/** The index of the sessions and grants of somebody that live. */
const LIVE = 'live'

/** From where on in the log the index is complete. */
const SINCE = 'since'

/** How much later than it says something may still be taken: far beyond any clock tolerance. In milliseconds. */
const EXPIRY_TOLERANCE_MS = 86_400_000

/** So many entries are counted at a time. */
const COUNT_SIZE = 1_000

/** The key of everything of a kind, or of what an account has of it. */
export function liveKey(kind: LiveKind, account?: string): string {
  return account === undefined ? kind : `${kind} ${account}`
}

/**
 * The sessions and grants that live, by account: kept by the planner, so that nobody has to read all that ever was for
 * them. What it holds is a name each, and no more than a look may find: a session that ended a moment ago, or that
 * another issuer stored, may be in it.
 *
 * The planner puts into it what a batch stores, and removes what the batch ends, before its checkpoint moves. So at any
 * moment everything that lives and was stored up to the planner's checkpoint is in the index, from the position on at
 * which the index began; for what is above the checkpoint, or below that position, the log is read.
 */
export class LiveIndex {
  readonly #store: EventStore

  constructor(store: EventStore) {
    this.#store = store
  }

  /**
   * Where there is no index yet, it begins at the log's end. The planner must exist by then, so that it handles what comes
   * after that; an index that was dropped begins again here.
   */
  async begin(): Promise<void> {
    if ((await this.#since()) !== undefined) return
    await this.#table.put([{ id: SINCE, keys: [SINCE], position: await this.#store.end() }])
  }

  /** Everything that lives and was stored after this position is in the index, if the planner has got so far. */
  async completeAfter(): Promise<number> {
    return (await this.#since()) ?? Number.POSITIVE_INFINITY
  }

  /** Brings the index further by these commits. Twice does no harm, and neither does late. */
  async follow(commits: readonly Commit[]): Promise<void> {
    const changes = commits.map(changesOf)
    const entries = firstAndLast(changes.flatMap(({ entries }) => entries))
    const ends = new Map(changes.flatMap((change) => change.ends).map((end) => [end.id, end]))
    await this.#table.put(entries)
    await this.#table.remove([...ends.values()])
  }

  list(key: string, limit: number, after?: IndexPlace): Promise<IndexEntry[]> {
    return this.#table.list({ key, limit, ...(after && { after }) })
  }

  /**
   * How many sessions of an issuer there are in it that have not expired, counted up to so many entries. A session that ended
   * a moment ago may be among them.
   */
  async countSessions(issuer: string, now: number, most: number): Promise<{ count: number; isExact: boolean }> {
    let count = 0
    let after: IndexPlace | undefined
    for (let looked = 0; looked < most; looked += COUNT_SIZE) {
      const page = await this.list(liveKey('session'), COUNT_SIZE, after)
      count += page.filter((entry) => isOf(entry, issuer) && !isExpired(entry, now)).length
      if (page.length < COUNT_SIZE) return { count, isExact: (await this.completeAfter()) === 0 }
      after = page.at(-1)
    }
    return { count, isExact: false }
  }

  /** Removes what has expired: nobody told that it ended. */
  async sweep(now: number): Promise<void> {
    await this.#table.sweep(now)
  }

  async #since(): Promise<number | undefined> {
    const [since] = await this.#table.list({ key: SINCE, limit: 1 })
    return since?.position
  }

  get #table(): IndexTable {
    return this.#store.index(LIVE)
  }
}

/** What a commit ended. */
type End = Pick<IndexEntry, 'id' | 'position'>

/** Of what is stored again and again the first and the last time count. */
function firstAndLast(entries: readonly NewIndexEntry[]): NewIndexEntry[] {
  const last = new Map(entries.map((entry) => [entry.id, entry]))
  const seen = new Set<string>()
  return entries.filter((entry) => {
    const counts = !seen.has(entry.id) || last.get(entry.id) === entry
    seen.add(entry.id)
    return counts
  })
}

/** The stream of a session's uid, or of a grant, that an entry is about. */
export function streamOfEntry({ id }: Pick<IndexEntry, 'id'>): string {
  return id.split(' ', 1)[0] ?? id
}

function isOf({ id }: Pick<IndexEntry, 'id'>, issuer: string): boolean {
  const named = id.indexOf(' ')
  return named < 0 || id.slice(named + 1) === issuer
}

function isExpired({ expiresAt }: IndexEntry, now: number): boolean {
  return expiresAt !== undefined && expiresAt - EXPIRY_TOLERANCE_MS <= now
}

/** The same id may be chosen by the applications of two issuers: what one of them ends lives on at the other. */
function idOf(stream: string, issuer: string | undefined): string {
  return issuer === undefined ? stream : `${stream} ${issuer}`
}

/** What a commit stores and what it ends; a session that goes on under another cookie value is stored. */
function changesOf({ events, position, meta: { instance } }: Commit): { entries: NewIndexEntry[]; ends: End[] } {
  const entries: NewIndexEntry[] = []
  const ends: End[] = []
  for (const event of events) {
    const kind = kindOf(event)
    if (!kind) continue
    const ids = namesOf(kind, event).map((name) => idOf(name, instance))
    const [id] = ids
    if (id === undefined) continue
    const accounts = (event.also ?? []).filter((name) => name.startsWith('account:'))
    if (event.type === 'destroyed') ends.push(...ids.map((ended) => ({ id: ended, position })))
    else if (event.type === 'stored' && accounts.length > 0) {
      const { exp } = event.data
      const keys = [liveKey(kind), ...accounts.map((account) => liveKey(kind, account))]
      const expiresAt = typeof exp === 'number' ? exp * 1_000 + EXPIRY_TOLERANCE_MS : undefined
      entries.push({ id, keys, position, ...(expiresAt !== undefined && { expiresAt }) })
    }
  }
  const kept = new Set(entries.map(({ id }) => id))
  return { entries, ends: ends.filter(({ id }) => !kept.has(id)) }
}

function kindOf({ stream }: Event): LiveKind | undefined {
  if (stream.startsWith('Session:')) return 'session'
  return stream.startsWith('Grant:') ? 'grant' : undefined
}

/** The streams by which it is looked up: a session's uid, which stays when its cookie value rotates; a grant's own. */
function namesOf(kind: LiveKind, { stream, also = [] }: Event): string[] {
  if (kind === 'session') return also.filter((name) => name.startsWith('uid:'))
  return [stream, ...also.filter((name) => name.startsWith('Grant:'))]
}
