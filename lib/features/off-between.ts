import type { OperatorChange } from '../operators/operators-state.ts'
import { evolve, type FeatureSettings, isEnabled } from './feature-settings.ts'

/**
 * How much of a stretch of time a feature was off, in milliseconds. The order of the log decides; where the clocks of two
 * processes disagree with it, an act counts from the moment of the one before.
 *
 * @param acts - those on this feature, oldest first
 * @param configured - what holds where nobody has set it
 * @param from - milliseconds since 1970
 * @param to - milliseconds since 1970
 */
export function offBetween(acts: readonly OperatorChange[], configured: boolean, from: number, to: number): number {
  let settings: FeatureSettings = {}
  let since = Number.NEGATIVE_INFINITY
  let off = 0
  const pass = (until: number): void => {
    if (!isEnabled(settings, configured)) off += Math.max(0, Math.min(until, to) - Math.max(since, from))
    since = until
  }
  for (const act of acts) {
    pass(Math.max(since, act.at))
    settings = evolve(settings, act)
  }
  pass(Number.POSITIVE_INFINITY)
  return off
}
