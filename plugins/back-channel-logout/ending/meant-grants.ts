import type { GrantName, GrantState, Host } from '../../../lib/index.ts'
import { inParallel } from '../work/in-parallel.ts'
import type { CandidatePage } from './candidates.ts'
import { streamOfEntry } from './live-index.ts'
import { clientOf, isMeant, type TerminationJob } from './termination-job.ts'
import type { AccountAtClient } from './told-logins.ts'

/** So many sessions or grants are looked at or ended at a time: enough to share the commands of the store. */
export const AT_ONCE = 32

/** A grant that a job is about, and may have to tell its RP of. */
export interface MeantGrant extends AccountAtClient {
  readonly id: string
}

/**
 * The grants of a page that a job is about and that live, each once and as it is now, however often it was stored.
 *
 * @param tried - does what it is given, and goes on without a grant that cannot be read
 */
export async function meantGrants(
  { terminator, store, clock }: Host,
  job: TerminationJob,
  { commits, entries }: Pick<CandidatePage, 'commits' | 'entries'>,
  tried: (name: string, work: () => Promise<unknown>) => Promise<unknown>,
): Promise<MeantGrant[]> {
  const meant = ({ id, accountId, clientId, exp }: GrantState): MeantGrant | undefined => {
    const isExpired = exp !== undefined && exp < clock.now() / 1000
    if (isExpired || clientId === undefined || clientId !== (clientOf(job) ?? clientId)) return undefined
    return isMeant(store.keys, job, accountId) ? { id, accountId, clientId } : undefined
  }
  const names = new Map<string, GrantName>(entries.map((entry) => [entry.id, [streamOfEntry(entry)]]))
  for (const commit of commits) {
    await tried(`@${commit.position}`, async () => {
      for (const state of terminator.grantsStoredBy(commit, clientOf(job)))
        if (meant(state)) names.set(state.id, state.id)
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
