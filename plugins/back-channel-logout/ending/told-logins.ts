import type { EventStore } from '../../../lib/index.ts'
import { accountStreams, clientStreams, terminationStream } from '../recording/index-streams.ts'
import { pagesOf } from '../recording/pages.ts'
import { inParallel } from '../work/in-parallel.ts'
import type { TerminationJob } from './termination-job.ts'

/** So many commits are held at a time, and so many accounts are read at a time. */
const PAGE = 256
const AT_ONCE = 32

/** An account at a client. */
export interface AccountAtClient {
  readonly accountId: string
  readonly clientId: string
}

export function keyOf({ accountId, clientId }: AccountAtClient): string {
  return JSON.stringify([accountId, clientId])
}

/**
 * Of which of these the job has ended a login already: their RPs are told of that. What an account did since the job
 * is read once, however many clients it has.
 */
export async function toldLogins(
  store: EventStore,
  job: Pick<TerminationJob, 'id' | 'position'>,
  asked: Iterable<AccountAtClient>,
): Promise<ReadonlySet<string>> {
  const clientsOf = new Map<string, Set<string>>()
  for (const { accountId, clientId } of asked) {
    clientsOf.set(accountId, (clientsOf.get(accountId) ?? new Set()).add(clientId))
  }
  const told = new Set<string>()
  await inParallel([...clientsOf], AT_ONCE, async ([accountId, clients]) => {
    for await (const clientId of clientsTold(store, job, accountId, clients)) told.add(keyOf({ accountId, clientId }))
  })
  return told
}

async function* clientsTold(
  store: EventStore,
  { id, position }: Pick<TerminationJob, 'id' | 'position'>,
  accountId: string,
  clients: Iterable<string>,
): AsyncGenerator<string, void> {
  const left = new Map(
    [...clients].flatMap((client) => clientStreams(store.keys, client).map((name) => [name, client])),
  )
  const range = { from: position + 1, to: await store.end() }
  const pages = pagesOf(store, accountStreams(store.keys, accountId), { ...range, order: 'newest', size: PAGE })
  for await (const page of pages) {
    for (const { type, also = [] } of page.flatMap(({ events }) => events)) {
      if (type !== 'session_logout.terminated' || !also.includes(terminationStream(id))) continue
      for (const name of also) {
        const client = left.get(name)
        if (client === undefined) continue
        yield client
        for (const other of clientStreams(store.keys, client)) left.delete(other)
      }
    }
    if (left.size === 0) return
  }
}
