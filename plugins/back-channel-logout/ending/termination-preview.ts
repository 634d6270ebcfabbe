import { inParallel } from '../../../lib/in-parallel.ts'
import type { SessionName } from '../../../lib/index.ts'
import { recordedLogins } from '../recording/logins.ts'
import { isStoreUnavailable } from '../work/store-unavailable.ts'
import { type CandidatePage, candidates } from './candidates.ts'
import { earlierTime } from './endings.ts'
import { type Kept, keptBy } from './kept-session.ts'
import { streamOfEntry } from './live-index.ts'
import { isGrantExpired, type MeantGrant, meantGrants } from './meant-grants.ts'
import { Recent } from './recent.ts'
import { plus } from './tally.ts'
import { NOTHING_YET, type Tally } from './termination-events.ts'
import {
  afterPage,
  clientOf,
  grantsWithSession,
  isMeantSession,
  revokesLeftGrants,
  type TerminationJob,
  wantedBy,
} from './termination-job.ts'
import { AT_ONCE, PAGE, type PreviewParts, REMEMBERED } from './termination-parts.ts'

/**
 * What a job would come to now. Changes nothing. A session that is written while it is being counted may be left out;
 * beyond 20,000 logins an RP that also holds a grant alone may be counted twice.
 *
 * @throws the signal's reason when it aborts
 */
export async function previewTermination(
  parts: PreviewParts,
  job: TerminationJob,
  signal?: AbortSignal,
): Promise<Tally & { readonly failed: number }> {
  const preview = new Preview(parts)
  let tally = NOTHING_YET
  let at: TerminationJob | undefined = job
  while (at) {
    signal?.throwIfAborted()
    const { keys } = parts.host.store
    const page: CandidatePage = await candidates(parts.host.store, wantedBy(keys, at), at.place, PAGE)
    tally = plus(tally, await preview.page(at, page))
    at = afterPage(at, page.next)
  }
  return { ...tally, failed: preview.failed }
}

class Preview {
  readonly #parts: PreviewParts
  readonly #told = new Recent(REMEMBERED)
  /** What was counted: it may be met in the log and in the index. */
  readonly #counted = new Recent(REMEMBERED)
  readonly #unreadable = new Recent(REMEMBERED)
  /** How many sessions and grants could not be read: they would not be ended either. */
  failed = 0

  constructor(parts: PreviewParts) {
    this.#parts = parts
  }

  async page(job: TerminationJob, { commits, entries }: CandidatePage): Promise<Tally> {
    const { terminator } = this.#parts.host
    const counts: Tally[] = []
    const kept = await keptBy(this.#parts.host, job)
    if (job.pass === 'sessions') {
      const found: { readonly name: SessionName; readonly commit?: string }[] = [
        ...commits.flatMap((commit) =>
          terminator.sessionsStoredBy(commit).map((name) => ({ name, commit: commit.id })),
        ),
        ...entries.map((entry) => ({ name: [streamOfEntry(entry)] })),
      ]
      await inParallel(found, AT_ONCE, ({ name, commit }) =>
        this.#tried(String(name), async () => counts.push(await this.#session(job, name, commit, kept))),
      )
    } else {
      const grants = await meantGrants(this.#parts, job, { commits, entries }, (name, work) => this.#tried(name, work))
      for (const grant of grants) if (!kept.grants.has(grant.id)) counts.push(await this.#grant(grant, kept))
    }
    return counts.reduce(plus, NOTHING_YET)
  }

  async #tried(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (isStoreUnavailable(error)) throw error
      if (this.#unreadable.add(name)) this.failed += 1
    }
  }

  /** Counts where its newest state is met, or where the index names it: a session is in the log once for each write. */
  async #session(job: TerminationJob, name: SessionName, commit: string | undefined, kept: Kept): Promise<Tally> {
    const { target, reason, actor } = job
    const { terminator, store } = this.#parts.host
    const clientId = clientOf({ target })
    const ending = await terminator.preview(name, {
      cause: { reason, actor },
      grants: grantsWithSession({ target, reason }),
      keptGrants: kept.grants,
      onlyIf: (session) =>
        session.commit === (commit ?? session.commit) && isMeantSession(store.keys, job, session.payload),
      ...(clientId !== undefined && { clientId }),
    })
    if (!ending || !this.#counted.add(`session ${ending.session.uid}`)) return NOTHING_YET
    const { session, grantIds } = ending
    const logins = recordedLogins(session, this.#parts.isOn()).filter(
      (login) => clientId === undefined || login.clientId === clientId,
    )
    for (const login of logins) this.#told.add(JSON.stringify([session.payload['accountId'], login.clientId]))
    // Where all grants go they are counted when they are met, and those that have expired only here.
    const grants = revokesLeftGrants({ target, reason }) ? await this.#expired(grantIds) : grantIds.length
    return { sessions: 1, logins: logins.length, grants }
  }

  async #grant({ id, accountId, clientId }: MeantGrant, kept: Kept): Promise<Tally> {
    if (!this.#counted.add(`grant ${id}`)) return NOTHING_YET
    const isTold = this.#parts.isOn() && !kept.clients.has(clientId)
    const isNew = isTold && this.#told.add(JSON.stringify([accountId, clientId]))
    const client = isNew && (await this.#parts.clients.find(clientId))
    return { sessions: 0, logins: client ? 1 : 0, grants: 1 }
  }

  async #expired(grantIds: readonly string[]): Promise<number> {
    const { host, toleranceSeconds } = this.#parts
    const grants = await Promise.all(grantIds.map((id) => host.terminator.grant(id)))
    const now = await earlierTime(host)
    return grants.filter((grant) => isGrantExpired(grant?.exp, toleranceSeconds, now)).length
  }
}
