import type { EventStore } from '../../lib/index.ts'
import { endsStream } from '../back-channel-logout/recording/index-streams.ts'
import { UsageError } from './exit-codes.ts'

/** So many commits are looked at, the newest, and so many with one command. */
const NEWEST = 2_000
const PAGE = 500

/**
 * That something in the log is this issuer's. Whoever mistypes it must not be told that nobody is logged in there, or that
 * nothing is stored of an account. Of a log without anybody's nothing can be told.
 *
 * @throws UsageError
 */
export async function assertKnownIssuer(store: EventStore, issuer: string): Promise<void> {
  const others = new Set<string>()
  const end = await store.end()
  for (let after = Math.max(0, end - NEWEST); after < end; ) {
    const page = await store.entries({ after, limit: PAGE })
    for (const entry of page) {
      const instance = entry.kind === 'commit' ? entry.commit.meta.instance : undefined
      if (instance === issuer) return
      if (instance !== undefined) others.add(instance)
    }
    after = page.at(-1)?.position ?? end
  }
  if (others.size === 0 || (await store.latest(endsStream(issuer)))) return
  const named = [...others].slice(0, 5).join(', ')
  throw new UsageError(`nothing in this log is of the issuer ${issuer}: what is new in it is of ${named}`)
}
