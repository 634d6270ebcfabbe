import { inParallel } from '../../../lib/in-parallel.ts'
import {
  type Commit,
  componentLogger,
  type EventStore,
  fullJitter,
  type IndexEntry,
  type Logger,
  SessionChangedError,
  type SessionName,
  type TerminationOptions,
} from '../../../lib/index.ts'
import { clearTextOf } from '../recording/clear-text.ts'
import { terminationStream } from '../recording/index-streams.ts'
import { pagesOf } from '../recording/pages.ts'
import { isStoreUnavailable } from '../work/store-unavailable.ts'
import { candidates } from './candidates.ts'
import { grantLogout } from './grant-logout.ts'
import { type Kept, keptBy } from './kept-session.ts'
import { streamOfEntry } from './live-index.ts'
import { type MeantGrant, meantGrants } from './meant-grants.ts'
import { Recent } from './recent.ts'
import { plus, tallyOf } from './tally.ts'
import { type Tally, toTerminationEvent } from './termination-events.ts'
import {
  afterPage,
  clientOf,
  grantsWithSession,
  isMeantSession,
  type TerminationJob,
  wantedBy,
} from './termination-job.ts'
import { AT_ONCE, PAGE, REMEMBERED, type TerminationParts } from './termination-parts.ts'
import { keyOf, ToldLogins } from './told-logins.ts'

/** Of so many jobs it is remembered what could not be ended on their page. */
const JOBS = 1_000

/** So often a session is tried to be ended that is written all the time, with pauses; each try looks many times. */
const MOST_TRIES = 8

/** The pauses between them. */
const PAUSE = { firstMs: 100, mostMs: 12_800 }

/**
 * Carries a job out, page by page. What it does twice does no harm: an ended session has ended. So a page whose
 * process died is done again by another, and what was done is counted in the log.
 */
export class TerminationRun {
  readonly #parts: TerminationParts
  readonly #logger: Logger
  /** Sessions that were looked at. */
  readonly #checked = new Recent(REMEMBERED)
  /** Accounts at clients of which a job need not tell the RP any more. */
  readonly #told = new Recent(REMEMBERED)
  /** What could not be ended on the page of a job that is under way. */
  readonly #failed = new Map<string, { readonly page: string; readonly names: Set<string> }>()
  readonly #toldBefore: ToldLogins
  readonly #page: number

  constructor(parts: TerminationParts, page: number = PAGE) {
    this.#parts = parts
    this.#logger = componentLogger(parts.host.logger, 'terminations')
    this.#toldBefore = new ToldLogins(parts.host.store)
    this.#page = page
  }

  /** About a page further: a small job is done at once. */
  async runNextPage(before: TerminationJob): Promise<{ readonly job: TerminationJob; readonly completed: boolean }> {
    const failed = this.#failedOf(before)
    let job: TerminationJob | undefined = before
    let last = before
    for (let left = this.#page; job && left > 0; ) {
      const { commits, entries, next } = await candidates(this.#store, wantedBy(this.#store.keys, job), job.place, left)
      await this.#end(job, commits, entries, failed)
      left -= commits.length + entries.length
      last = job
      job = afterPage(job, next)
    }
    const counted = await this.#counted(last)
    return {
      job: { ...(job ?? last), ...counted, failed: before.failed + failed.size },
      completed: job === undefined,
    }
  }

  /** By name. A page that the store interrupts is done again: what failed on it is not looked at twice, but counted. */
  #failedOf({ id, pass, place }: TerminationJob): Set<string> {
    const page = JSON.stringify([pass, place])
    const before = this.#failed.get(id)
    const failed = before?.page === page ? before : { page, names: new Set<string>() }
    this.#failed.delete(id)
    this.#failed.set(id, failed)
    const [oldest] = this.#failed.keys()
    if (this.#failed.size > JOBS && oldest !== undefined) this.#failed.delete(oldest)
    return failed.names
  }

  /** Ends what there is to end among the candidates, and adds the names of what could not be ended to `failed`. */
  async #end(
    job: TerminationJob,
    commits: readonly Commit[],
    entries: readonly IndexEntry[],
    failed: Set<string>,
  ): Promise<void> {
    const tried = async (name: string, work: () => Promise<unknown>): Promise<void> => {
      try {
        await work()
        failed.delete(name)
      } catch (err) {
        if (isStoreUnavailable(err)) throw err
        failed.add(name)
        this.#logger.error(
          { event: 'termination_incomplete', err, termination: job.id },
          'a session or a grant could not be ended; the termination goes on without it',
        )
      }
    }
    if (commits.length === 0 && entries.length === 0) return
    const kept = await keptBy(this.#parts.host, job)
    if (job.pass === 'sessions') {
      const names = this.#sessionsIn(job, commits, entries)
      await inParallel(names, AT_ONCE, (name) => tried(String(name), () => this.#endSession(job, name, kept)))
      return
    }
    const meant = await meantGrants(this.#parts, job, { commits, entries }, tried)
    const grants = meant.filter(({ id }) => !kept.grants.has(id))
    const told = await this.#toldLogins(job, grants)
    const ofLogin = new Map<string, MeantGrant[]>()
    for (const grant of grants) {
      const others = ofLogin.get(keyOf(grant))
      if (others) others.push(grant)
      else ofLogin.set(keyOf(grant), [grant])
    }
    // Of several grants of one RP the first one tells it, so they are revoked one after the other.
    await inParallel([...ofLogin.values()], AT_ONCE, async (some) => {
      for (const grant of some) await tried(grant.id, () => this.#revoke(job, grant, told, kept))
    })
  }

  #sessionsIn({ id }: TerminationJob, commits: readonly Commit[], entries: readonly IndexEntry[]): SessionName[] {
    const { terminator } = this.#parts.host
    const found: SessionName[] = [
      ...commits.flatMap((commit) => terminator.sessionsStoredBy(commit)),
      ...entries.map((entry) => [streamOfEntry(entry)]),
    ]
    const names = new Map(found.map((name) => [`${id} ${String(name)}`, name]))
    return [...names].filter(([key]) => !this.#checked.has(key)).map(([, name]) => name)
  }

  async #endSession(job: TerminationJob, name: SessionName, kept: Kept): Promise<void> {
    const { id, target, reason, actor } = job
    const clientId = clientOf(job)
    const checked = (): boolean => this.#checked.add(`${id} ${String(name)}`)
    try {
      await this.#endInSpiteOfWrites(name, {
        cause: { reason, actor, terminationId: id },
        grants: grantsWithSession({ target, reason }),
        keptGrants: kept.grants,
        onlyIf: ({ payload }) => isMeantSession(this.#store.keys, job, payload),
        ...(clientId !== undefined && { clientId }),
      })
      checked()
    } catch (error) {
      if (!isStoreUnavailable(error)) checked() // counted as failed once, however often it was written
      throw error
    }
  }

  /** A session that is written all the time lets its end wait: tried again with pauses in which others come through. */
  async #endInSpiteOfWrites(name: SessionName, options: TerminationOptions): Promise<void> {
    const { terminator, clock } = this.#parts.host
    for (let tries = 1; ; tries++) {
      try {
        await terminator.end(name, options)
        return
      } catch (error) {
        if (!(error instanceof SessionChangedError) || tries >= MOST_TRIES) throw error
        await clock.sleep(fullJitter(tries, PAUSE))
      }
    }
  }

  /** Of whom the job need not tell the RP any more. While nobody is told, nobody asks. */
  async #toldLogins(job: TerminationJob, grants: readonly MeantGrant[]): Promise<ReadonlySet<string>> {
    if (!this.#parts.isOn()) return new Set()
    const asked = grants.filter((grant) => !this.#told.has(`${job.id} ${keyOf(grant)}`))
    return this.#toldBefore.of(job, asked)
  }

  async #revoke(job: TerminationJob, grant: MeantGrant, told: ReadonlySet<string>, kept: Kept): Promise<void> {
    const { provider, isOn, host, clients } = this.#parts
    const { id: grantId, accountId, clientId } = grant
    const { id, reason, actor } = job
    const login = `${id} ${keyOf(grant)}`
    const on = isOn()
    const tells = on && !this.#told.has(login) && !told.has(keyOf(grant)) && !kept.clients.has(clientId)
    const client = tells ? await clients.find(clientId) : undefined
    const facts = client
      ? await grantLogout(host.accountKeys, provider.issuer, job, { id: grantId, accountId, client })
      : []
    const revoked = await host.terminator.revoke(grantId, { reason, actor, terminationId: id }, [
      toTerminationEvent(id, { type: 'termination.grant_revoked', client_id: clearTextOf(clientId) }),
      ...facts,
    ])
    if (on && revoked) this.#told.add(login)
  }

  /** What the job's stream says that was not counted yet: also what a process did that died before it could say so. */
  async #counted({ id, tally, counted }: TerminationJob): Promise<{ tally: Tally; counted: number }> {
    let sum = tally
    let upTo = counted
    const pages = pagesOf(this.#store, [terminationStream(id)], {
      from: counted + 1,
      order: 'oldest',
      size: this.#page,
    })
    for await (const commits of pages) {
      sum = plus(sum, tallyOf(commits))
      upTo = commits.at(-1)?.position ?? upTo
    }
    return { tally: sum, counted: upTo }
  }

  get #store(): EventStore {
    return this.#parts.host.store
  }
}
