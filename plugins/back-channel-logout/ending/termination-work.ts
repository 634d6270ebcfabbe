import type { Commit, EventStore, JsonObject, NewWork } from '../../../lib/index.ts'
import { completionStream, terminationOfStream } from '../recording/index-streams.ts'
import { lanePrefix } from '../work/lanes.ts'
import type { Completed, Ordered } from './termination-events.ts'
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
export function terminationJobsIn({ events, position, meta: { instance } }: Commit): NewWork[] {
  return events.flatMap(({ stream, type, data }) => {
    const id = terminationOfStream(stream)
    if (id === undefined || type !== 'termination.ordered' || instance === undefined) return []
    return [terminationWork(newTerminationJob(id, position, data as unknown as Ordered), instance)]
  })
}

export function terminationWork(job: TerminationJob, issuer: string): NewWork {
  const lane = `${lanePrefix(issuer)}job ${job.id}`
  return { id: `job/${job.id}`, lane, dueAt: AT_ONCE, body: toJobBody(job) as JsonObject }
}
