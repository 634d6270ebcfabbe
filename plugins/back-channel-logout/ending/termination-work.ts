import type { AccountKeys, Commit, EventStore, JsonObject, NewWork } from '../../../lib/index.ts'
import { completionStream, terminationOfStream } from '../recording/index-streams.ts'
import { lanePrefix } from '../work/lanes.ts'
import type { Completed, Ordered, TerminationTarget } from './termination-events.ts'
import { newTerminationJob, type TerminationJob, toJobBody } from './termination-job.ts'

/** The due time of a job, whatever the clock of the process that did its last page. */
export const AT_ONCE = 0

/** What a job came to. Undefined: it is not carried out yet. */
export async function completionOf(store: EventStore, id: string): Promise<Completed | undefined> {
  const newest = await store.latest(completionStream(id))
  const completed = newest?.events.find(({ type }) => type === 'termination.completed')
  return completed?.data as unknown as Completed | undefined
}

/** The work that a commit's jobs make: of the issuer in whose name they were given. */
export async function terminationJobsIn(
  keys: AccountKeys,
  { events, position, meta: { instance } }: Commit,
): Promise<NewWork[]> {
  const work = events.map(async ({ stream, type, data }): Promise<NewWork[]> => {
    const id = terminationOfStream(stream)
    if (id === undefined || type !== 'termination.ordered' || instance === undefined) return []
    const { target, reason, actor } = data as unknown as Ordered
    const own = await forWork(keys, target, stream)
    return own ? [terminationWork(newTerminationJob(id, position, { target: own, reason, actor }), instance)] : []
  })
  return (await Promise.all(work)).flat()
}

/** The target as the work has it. Undefined: its account was forgotten, for which its sessions had to end first. */
async function forWork(
  keys: AccountKeys,
  target: TerminationTarget,
  stream: string,
): Promise<TerminationTarget | undefined> {
  if (target.kind !== 'account') return target
  const accountId = await keys.open(target.account, stream)
  return accountId === undefined ? undefined : { ...target, account: keys.ring.seal(accountId, stream) }
}

export function terminationWork(job: TerminationJob, issuer: string): NewWork {
  const lane = `${lanePrefix(issuer)}job ${job.id}`
  return { id: `job/${job.id}`, lane, dueAt: AT_ONCE, body: toJobBody(job) as JsonObject }
}
