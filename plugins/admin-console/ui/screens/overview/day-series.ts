import type { Overview } from '../../../api/contract.ts'

type Statistics = NonNullable<Overview['statistics']>

/** What the chart draws: a value of each for every quarter of an hour. */
export interface DaySeries {
  /** When each quarter begins, in seconds since 1970. */
  readonly from: readonly number[]
  readonly logouts: readonly number[]
  readonly confirmed: readonly number[]
  /** Attempts that failed, RPs that refused, and what was given up. */
  readonly failed: readonly number[]
}

const QUARTER_MS = 900_000

/** A day has so many quarters of an hour, and those that begin and end it may be cut. */
const MOST = 98

/** Fills the quarters in which nothing happened, which the server leaves out. */
export function daySeries({ since, until, quarters }: Statistics): DaySeries {
  // The first quarter is cut by the hour, and would look like an outage.
  const first = Math.max(quarterOf(since) + QUARTER_MS, quarterOf(until) - (MOST - 1) * QUARTER_MS)
  const length = Math.max(1, Math.min(MOST, (quarterOf(until) - first) / QUARTER_MS + 1))
  const starts = Array.from({ length }, (_, index) => first + index * QUARTER_MS)
  const byStart = new Map(quarters.map((quarter) => [quarterOf(quarter.from), quarter]))
  const found = starts.map((start) => byStart.get(start))
  return {
    from: starts.map((start) => start / 1_000),
    logouts: found.map((quarter) => quarter?.logouts ?? 0),
    confirmed: found.map((quarter) => quarter?.confirmed ?? 0),
    failed: found.map((quarter) => (quarter ? quarter.attemptsFailed + quarter.rejected + quarter.abandoned : 0)),
  }
}

function quarterOf(at: number): number {
  return Math.floor(at / QUARTER_MS) * QUARTER_MS
}
