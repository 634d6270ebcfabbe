import { type EventStore, KeyUnknownError, TerminationUnfinishedError } from '../../../lib/index.ts'
import { assertClearText, assertText } from '../recording/criteria.ts'
import { completionStream, terminationOfStream, terminationStream } from '../recording/index-streams.ts'
import { recordedLogins } from '../recording/logins.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import { isStoreUnavailable } from '../work/store-unavailable.ts'
import type { EndingParts, EndingWork } from './ending-work.ts'
import { ENDINGS } from './endings.ts'
import { newOrder, newTarget, type Whose } from './order-termination.ts'
import {
  assertTerminateOptions,
  type TerminateAccountOptions,
  type TerminateManyOptions,
  type TerminateSessionOptions,
  type TerminateWithReasonOptions,
  type TerminationProgress,
} from './terminate-options.ts'
import {
  type Completed,
  NOTHING_YET,
  type Ordered,
  type OrderReason,
  type Tally,
  type TerminationTarget,
  terminationJobsStream,
} from './termination-events.ts'
import { newTerminationJob, type TerminationJob } from './termination-job.ts'
import type { TerminationParts } from './termination-parts.ts'
import { previewTermination } from './termination-preview.ts'
import { completionOf } from './termination-work.ts'

/** What a termination came to, or would come to. */
export interface TerminationReport extends Tally {
  /** Names it in `terminations()`; absent for a dry run and for a single session. */
  readonly id?: string
  /** How many could not be ended, which the logger says more of. Order it again when that is mended. */
  readonly failed: number
}

/** A termination of many sessions, as it stands. */
export interface TerminationStatus extends TerminationReport {
  readonly id: string
  readonly state: 'running' | 'completed'
  readonly of: 'account' | 'client' | 'all'
  /** Of an account's; absent where it was forgotten, or the key is gone that it is sealed with. */
  readonly accountId?: string
  /** Of a client's, or of those of an account at a client. */
  readonly clientId?: string
  /** The uid of a session of the account that goes on. */
  readonly except?: string
  readonly reason: OrderReason
  readonly actor: string
  /** When it was ordered, milliseconds since 1970. */
  readonly orderedAt: number
  /** When the last session had ended, milliseconds since 1970. */
  readonly completedAt?: number
}

/** A page of the log, and the terminations that were ordered in it. */
export interface TerminationPage {
  readonly terminations: readonly { readonly status: TerminationStatus; readonly position: number }[]
  /** How many commits there were, and the last of them. */
  readonly looked: number
  readonly last: number
}

/** That a termination is completed, when, and what it came to. */
interface Completion {
  readonly at: number
  readonly tally: Tally & { readonly failed: number }
}

/** Told of what has ended so far; and, once, what the job came to. */
type Watcher = (soFar: TerminationProgress, report: TerminationReport | undefined) => void

/** How often it is looked whether another process has completed a job, in milliseconds. */
const LOOK_MS = 1_000

/**
 * Ends sessions on behalf of operators and of the application. What many sessions are ended by is recorded first, as an
 * job: it is carried out whatever becomes of the process that was asked.
 */
export class Terminations {
  readonly #parts: TerminationParts
  readonly #work: EndingWork
  readonly #watchers = new Map<string, Set<Watcher>>()
  readonly #stopping = new AbortController()

  /** @param work - makes the work that carries jobs out, and tells `progressed` of it */
  constructor(parts: TerminationParts, work: (progressed: EndingParts['onProgress']) => EndingWork) {
    this.#parts = parts
    this.#work = work((job, isCompleted) => this.#progressed(job, isCompleted))
  }

  /** What carries jobs out. */
  get work(): EndingWork {
    return this.#work
  }

  /** Whoever waits is told that it goes on without this process. */
  stop(): void {
    this.#stopping.abort()
  }

  async session(uid: string, options: TerminateSessionOptions): Promise<TerminationReport> {
    assertText('uid', uid)
    assertTerminateOptions(options, ['actor', 'dryRun', 'account', 'reason'], ['admin', 'single_session'])
    const { actor, account, reason = 'admin' } = options
    if (account !== undefined) assertText('account', account)
    const { terminator } = this.#parts.host
    const wanted = {
      cause: { reason, actor },
      grants: 'sessionBound',
      onlyIf: ({ payload: { accountId } }) =>
        account === undefined ? typeof accountId === 'string' : accountId === account,
    } satisfies Parameters<typeof terminator.end>[1]
    const ending = options.dryRun ? await terminator.preview(uid, wanted) : await terminator.end(uid, wanted)
    if (!ending) return { ...NOTHING_YET, failed: 0 }
    const logins = recordedLogins(ending.session, this.#parts.isOn()).length
    return { sessions: 1, logins, grants: ending.grantIds.length, failed: 0 }
  }

  account(accountId: string, options: TerminateAccountOptions): Promise<TerminationReport> {
    assertText('accountId', accountId)
    assertTerminateOptions(options, ['actor', 'dryRun', 'reason', 'except', 'onOrdered', 'onProgress', 'signal'])
    const { except } = options
    return this.#job(options, { kind: 'account', accountId, ...(except !== undefined && { except }) })
  }

  clientOfAccount(accountId: string, clientId: string, options: TerminateManyOptions): Promise<TerminationReport> {
    assertText('accountId', accountId)
    assertClearText('clientId', clientId)
    assertTerminateOptions(options, ['actor', 'dryRun', 'onOrdered', 'onProgress', 'signal'])
    return this.#job({ ...options, reason: 'authorization_removed' }, { kind: 'account', accountId, clientId })
  }

  client(clientId: string, options: TerminateManyOptions): Promise<TerminationReport> {
    assertClearText('clientId', clientId)
    assertTerminateOptions(options, ['actor', 'dryRun', 'onOrdered', 'onProgress', 'signal'])
    return this.#job(options, { kind: 'client', clientId })
  }

  all(options: TerminateWithReasonOptions): Promise<TerminationReport> {
    assertTerminateOptions(options, ['actor', 'dryRun', 'reason', 'onOrdered', 'onProgress', 'signal'])
    return this.#job(options, { kind: 'all' })
  }

  /** The newest first. */
  async *list(): AsyncGenerator<TerminationStatus, void, undefined> {
    for await (const { terminations } of this.listIn(PAGE_SIZE)) for (const { status } of terminations) yield status
  }

  /**
   * The same, a page of the log at a time.
   *
   * @param to - the last position of the log that counts. Default: its end
   */
  async *listIn(size: number, to: number = Number.POSITIVE_INFINITY): AsyncGenerator<TerminationPage, void, undefined> {
    const { store, issuer } = { store: this.#store, issuer: this.#parts.provider.issuer }
    const completed = new Map<string, Completion>()
    const isFromEnd = to === Number.POSITIVE_INFINITY
    for await (const page of pagesOf(store, [terminationJobsStream(issuer)], { to, order: 'newest', size })) {
      const terminations: { readonly status: TerminationStatus; readonly position: number }[] = []
      for (const { at, position, events } of page) {
        for (const { stream, type, data } of events) {
          const id = terminationOfStream(stream)
          if (id === undefined) continue
          if (type === 'termination.completed') completed.set(id, { at, tally: data as unknown as Completed })
          if (type !== 'termination.ordered') continue
          // What says that it is completed comes after the order, and may lie above the page.
          const above = isFromEnd || completed.has(id) ? undefined : await this.#completion(id)
          const known = completed.get(id) ?? above ?? (await this.#soFar(id))
          const status = await this.#status(id, data as unknown as Ordered, at, known)
          terminations.push({ status, position })
          completed.delete(id)
        }
      }
      yield { terminations, looked: page.length, last: Number(page.at(-1)?.position) }
    }
  }

  /** What a termination came to. Undefined: it is not carried out yet, or there is none of this id. */
  async report(id: string): Promise<TerminationReport | undefined> {
    assertText('id', id)
    const completed = await completionOf(this.#store, id)
    if (!completed) return undefined
    const { sessions, logins, grants, failed } = completed
    return { id, sessions, logins, grants, failed }
  }

  async #job(
    {
      actor,
      dryRun = false,
      reason = 'admin',
      onOrdered,
      onProgress,
      signal,
    }: TerminateManyOptions & {
      readonly reason?: OrderReason
    },
    whose: Whose,
  ): Promise<TerminationReport> {
    signal?.throwIfAborted()
    if (dryRun) {
      const { id, target } = newTarget(this.#store.keys, whose)
      const job = newTerminationJob(id, (await this.#store.end()) + 1, { target, reason, actor })
      return previewTermination(this.#parts, job, signal)
    }
    const { id, target, commit } = await newOrder(this.#parts.host, this.#parts.provider.issuer, whose, {
      reason,
      actor,
    })
    signal?.throwIfAborted()
    const { position } = await this.#store.append(commit)
    // Sooner than the planner, which makes the same of it: where this fails it is left to that.
    this.#work.begin(newTerminationJob(id, position, { target, reason, actor })).catch(() => undefined)
    onOrdered?.(id)
    return this.#completed(id, onProgress ?? (() => {}), signal)
  }

  async #completed(
    id: string,
    onProgress: (soFar: TerminationProgress) => void,
    signal: AbortSignal | undefined,
  ): Promise<TerminationReport> {
    let changed = new AbortController()
    let thrown: { readonly error: unknown } | undefined
    let completed: TerminationReport | undefined
    const watcher: Watcher = (soFar, report) => {
      completed = report
      try {
        onProgress(soFar)
      } catch (error) {
        thrown = { error } // the caller's own mistake, and none of what is being ended
      }
      changed.abort()
    }
    const watchers = this.#watchers.get(id) ?? new Set()
    this.#watchers.set(id, watchers.add(watcher))
    try {
      for (;;) {
        const woken = AbortSignal.any([changed.signal, this.#stopping.signal, ...(signal ? [signal] : [])])
        await this.#parts.host.clock.sleep(LOOK_MS, woken)
        if (thrown) throw thrown.error
        // Where another process carries it out, the log says that it is done.
        const report = completed ?? (await this.#reportOf(id))
        if (report) return report
        signal?.throwIfAborted()
        if (this.#stopping.signal.aborted) throw new TerminationUnfinishedError(id)
        if (changed.signal.aborted) changed = new AbortController()
      }
    } finally {
      this.#watchers.delete(id)
    }
  }

  /** Undefined: it is not completed, or nobody knows. It is recorded, so that the store's trouble is none of the caller's. */
  async #reportOf(id: string): Promise<TerminationReport | undefined> {
    try {
      return await this.report(id)
    } catch (error) {
      if (!isStoreUnavailable(error)) throw error
      return undefined
    }
  }

  #progressed({ id, failed, tally: { sessions, logins, grants } }: TerminationJob, isCompleted: boolean): void {
    const soFar = { sessions, logins, grants }
    for (const watcher of this.#watchers.get(id) ?? [])
      watcher(soFar, isCompleted ? { id, ...soFar, failed } : undefined)
  }

  async #completion(id: string): Promise<Completion | undefined> {
    const commit = await this.#store.latest(completionStream(id))
    const completed = commit?.events.find(({ type }) => type === 'termination.completed')
    return commit && completed && { at: commit.at, tally: completed.data as unknown as Completed }
  }

  async #soFar(id: string): Promise<{ readonly tally: Tally & { readonly failed: number } }> {
    const job = (await this.#store.work(ENDINGS).get(`job/${id}`))?.body as TerminationJob | undefined
    return { tally: { ...(job?.tally ?? NOTHING_YET), failed: job?.failed ?? 0 } }
  }

  async #status(
    id: string,
    { target, reason, actor }: Ordered,
    orderedAt: number,
    { at, tally }: { readonly at?: number; readonly tally: Tally & { readonly failed: number } },
  ): Promise<TerminationStatus> {
    const { sessions, logins, grants, failed } = tally
    return {
      id,
      state: at === undefined ? 'running' : 'completed',
      of: target.kind,
      ...(await this.#accountOf(id, target)),
      ...(target.kind !== 'all' && target.client_id !== undefined && { clientId: target.client_id }),
      ...(target.kind === 'account' && target.except !== undefined && { except: target.except }),
      reason,
      actor,
      orderedAt,
      ...(at !== undefined && { completedAt: at }),
      sessions,
      logins,
      grants,
      failed,
    }
  }

  async #accountOf(id: string, target: TerminationTarget): Promise<{ readonly accountId?: string }> {
    if (target.kind !== 'account') return {}
    try {
      const accountId = await this.#parts.host.accountKeys.open(target.account, terminationStream(id))
      return accountId === undefined ? {} : { accountId: String(accountId) }
    } catch (error) {
      if (error instanceof KeyUnknownError) return {}
      throw error
    }
  }

  get #store(): EventStore {
    return this.#parts.host.store
  }
}
