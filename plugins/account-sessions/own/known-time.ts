import { LATEST_TIME } from '../../../lib/log/prepare.ts'

/** A time in milliseconds since 1970. Undefined: it is none, or no calendar goes so far: what never expires may say so. */
export function knownTime(ms: unknown): number | undefined {
  return typeof ms === 'number' && Math.abs(ms) <= LATEST_TIME ? ms : undefined
}
