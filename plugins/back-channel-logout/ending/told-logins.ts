import { inParallel } from '../../../lib/in-parallel.ts'
import type { EventStore } from '../../../lib/index.ts'
import { accountStreams, clientStreams, terminationStream } from '../recording/index-streams.ts'
import { pagesOf } from '../recording/pages.ts'
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

/** What a job has told of an account, as far as the account was read. */
interface Told {
  /** The streams of clients. */
  readonly clients: Set<string>
  upTo: number
}

/** So many accounts and clients are remembered, all together. */
const REMEMBERED = 20_000

/**
 * Of which logins a job has told the RPs already, this process or another. What an account did since the job is read
 * once, however many clients it has and however many pages of the job are about it.
 */
export class ToldLogins {
  readonly #store: EventStore
  /** By job and account; those asked for last come last. */
  readonly #known = new Map<string, Told>()
  #size = 0

  constructor(store: EventStore) {
    this.#store = store
  }

  /** Those of these of which the job has ended a login, by `keyOf`. */
  async of(
    job: Pick<TerminationJob, 'id' | 'position'>,
    asked: Iterable<AccountAtClient>,
  ): Promise<ReadonlySet<string>> {
    const clientsOf = new Map<string, Set<string>>()
    for (const { accountId, clientId } of asked) {
      clientsOf.set(accountId, (clientsOf.get(accountId) ?? new Set()).add(clientId))
    }
    const told = new Set<string>()
    await inParallel([...clientsOf], AT_ONCE, async ([accountId, clients]) => {
      const known = await this.#read(job, accountId)
      for (const clientId of clients) {
        if (clientStreams(this.#store.keys, clientId).some((name) => known.has(name)))
          told.add(keyOf({ accountId, clientId }))
      }
    })
    return told
  }

  /** The streams of the clients that the job has told of this account. */
  async #read(
    { id, position }: Pick<TerminationJob, 'id' | 'position'>,
    accountId: string,
  ): Promise<ReadonlySet<string>> {
    const key = `${id} ${accountId}`
    const known = this.#take(key) ?? { clients: new Set<string>(), upTo: position }
    const streams = accountStreams(this.#store.keys, accountId)
    const pages = pagesOf(this.#store, streams, { from: known.upTo + 1, order: 'oldest', size: PAGE })
    for await (const page of pages) {
      for (const { type, also = [] } of page.flatMap(({ events }) => events)) {
        if (type !== 'session_logout.terminated' || !also.includes(terminationStream(id))) continue
        for (const name of also) if (name.startsWith('client:')) known.clients.add(name)
      }
      known.upTo = page.at(-1)?.position ?? known.upTo
    }
    this.#keep(key, known)
    return known.clients
  }

  /** Takes it out: nobody else changes it meanwhile. */
  #take(key: string): Told | undefined {
    const known = this.#known.get(key)
    if (this.#known.delete(key)) this.#size -= weightOf(known)
    return known
  }

  #keep(key: string, known: Told): void {
    this.#known.set(key, known)
    this.#size += weightOf(known)
    for (const other of this.#known.keys()) {
      if (this.#size <= REMEMBERED || other === key) return
      this.#take(other)
    }
  }
}

function weightOf(known: Told | undefined): number {
  return known ? known.clients.size + 1 : 0
}
