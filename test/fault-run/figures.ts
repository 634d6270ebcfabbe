import { isLive } from './told-rps.ts'
import { type Evidence, strandedLogins } from './verdict.ts'

/** What a run came to, in the order in which it is printed: a name and a figure each. */
export type Figures = Readonly<Record<string, number | string>>

/** Counts what people did, what RPs got, and how long it took. */
export function figuresOf({ visits, logged, received }: Evidence): Figures {
  const owed = logged.ends.flatMap(({ at, owed: all }) => all.map((one) => ({ ...one, endedAt: at })))
  const sent = owed.flatMap(({ clientId, endedAt, settlements }) =>
    settlements
      .filter(({ kind }) => kind === 'sent' && isLive(clientId))
      .map(({ at, attempts }) => ({ ms: at - endedAt, attempts })),
  )
  const times = sent.map(({ ms }) => ms).sort((a, b) => a - b)
  const taken = received.filter((token) => token.taken)
  const takenLogins = new Set(taken.map(({ clientId, sid }) => `${clientId} ${sid}`))
  const ways = new Map<string, number>()
  for (const { way, acknowledged } of visits) if (acknowledged) ways.set(way, (ways.get(way) ?? 0) + 1)
  return {
    'logouts acknowledged': visits.filter(({ acknowledged }) => acknowledged).length,
    ...Object.fromEntries([...ways].map(([way, times]) => [`  ${way}`, times])),
    'sessions, or logins in them, that ended by the log': logged.ends.length,
    'logins that live on': logged.living.length,
    '  in sessions that their browser has lost': strandedLogins({ visits, logged }),
    'logout tokens owed': owed.length,
    '  to live RPs, confirmed': sent.length,
    '  confirmed at the first attempt': sent.filter(({ attempts }) => attempts === 1).length,
    '  to dead RPs, dead letters': owed.filter(({ settlements }) => settlements[0]?.kind === 'abandoned').length,
    'failed attempts recorded': owed.reduce((sum, { failures }) => sum + failures, 0),
    'tokens received': received.length,
    '  taken with 200': taken.length,
    '  of these duplicates': taken.length - takenLogins.size,
    'time to logout, p50': `${quantile(times, 0.5)} ms`,
    'time to logout, p95': `${quantile(times, 0.95)} ms`,
    'time to logout, max': `${quantile(times, 1)} ms`,
  }
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
