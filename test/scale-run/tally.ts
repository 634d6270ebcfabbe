import type { EventStore } from '../../lib/index.ts'

/** What a log says has ended, counted without the plugin's code. */
export interface Tallied {
  readonly commits: number
  /** Ends of sessions. */
  readonly ends: number
  /** Sessions that have ended: fewer than ends, if one has ended twice. */
  readonly sessions: number
  readonly sessionsDestroyed: number
  readonly grantsDestroyed: number
  /** Confirmations of RPs, and the deliveries that they are of. */
  readonly sent: number
  readonly sentDeliveries: number
}

const PAGE = 1_000

/** Counts the whole log, page by page. */
export async function tallyOf(store: EventStore): Promise<Tallied> {
  const uids = new Set<string>()
  const deliveries = new Set<string>()
  const counts = { commits: 0, ends: 0, sessionsDestroyed: 0, grantsDestroyed: 0, sent: 0 }
  for (let after = 0; ; ) {
    const page = await store.readAll({ after, limit: PAGE })
    const last = page.at(-1)
    if (!last) return { ...counts, sessions: uids.size, sentDeliveries: deliveries.size }
    after = last.position
    counts.commits += page.length
    for (const { stream, type, data } of page.flatMap(({ events }) => events)) {
      if (type === 'destroyed' && stream.startsWith('Session:')) counts.sessionsDestroyed += 1
      if (type === 'destroyed' && stream.startsWith('Grant:')) counts.grantsDestroyed += 1
      if (type === 'session_logout.terminated') {
        counts.ends += 1
        uids.add(stream)
      }
      if (type === 'session_logout.back_channel.sent') {
        counts.sent += 1
        deliveries.add(String(data['delivery']))
      }
    }
  }
}
