import { inParallel } from '../../../lib/in-parallel.ts'
import type { GrantName, GrantState } from '../../../lib/index.ts'
import type { CandidatePage } from './candidates.ts'
import { earlierTime } from './endings.ts'
import { streamOfEntry } from './live-index.ts'
import { clientOf, isMeant, type TerminationJob } from './termination-job.ts'
import { AT_ONCE, type PreviewParts } from './termination-parts.ts'
import type { AccountAtClient } from './told-logins.ts'

/** A grant that a job is about, and may have to tell its RP of. */
export interface MeantGrant extends AccountAtClient {
  readonly id: string
}

/** Whether no process of the provider takes the grant any more. */
export function isGrantExpired(exp: number | undefined, toleranceSeconds: number, now: number): boolean {
  return exp !== undefined && (exp + toleranceSeconds) * 1_000 < now
}

/**
 * The grants of a page that a job is about and that live, each once and as it is now, however often it was stored.
 *
 * @param tried - does what it is given, and goes on without a grant that cannot be read
 */
export async function meantGrants(
  { host, toleranceSeconds }: Pick<PreviewParts, 'host' | 'toleranceSeconds'>,
  job: TerminationJob,
  { commits, entries }: Pick<CandidatePage, 'commits' | 'entries'>,
  tried: (name: string, work: () => Promise<unknown>) => Promise<unknown>,
): Promise<MeantGrant[]> {
  const { terminator, store } = host
  const now = await earlierTime(host)
  const meant = ({ id, accountId, clientId, exp }: GrantState): MeantGrant | undefined => {
    if (
      isGrantExpired(exp, toleranceSeconds, now) ||
      clientId === undefined ||
      clientId !== (clientOf(job) ?? clientId)
    )
      return undefined
    return isMeant(store.keys, job, accountId) ? { id, accountId, clientId } : undefined
  }
  const names = new Map<string, GrantName>(entries.map((entry) => [entry.id, [streamOfEntry(entry)]]))
  // What the planner puts into the index meanwhile is in the log as well.
  const listed = new Set(entries.map(streamOfEntry))
  const isListed = ({ id }: GrantState): boolean => store.keys.streams('Grant', id).some((name) => listed.has(name))
  for (const commit of commits) {
    await tried(`@${commit.position}`, async () => {
      for (const state of await terminator.grantsStoredBy(commit, clientOf(job)))
        if (meant(state) && !isListed(state)) names.set(state.id, state.id)
    })
  }
  const found = new Map<string, MeantGrant>()
  await inParallel([...names], AT_ONCE, ([key, name]) =>
    tried(key, async () => {
      const state = await terminator.grant(name)
      const grant = state && meant(state)
      if (grant) found.set(grant.id, grant)
    }),
  )
  return [...found.values()]
}
