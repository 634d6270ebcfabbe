const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

/** What a date can hold, in milliseconds (ECMAScript, section 21.4.1.1). */
const MOST_MS = 8.64e15

/** The units of relative times: how many seconds they have, and up to how many seconds they are used. */
const UNITS = [
  ['s', 1, 60],
  ['min', 60, 3_600],
  ['h', 3_600, 86_400 * 2],
  ['d', 86_400, 86_400 * 100],
] as const

export function exactTime(at: number): string {
  return Math.abs(at) <= MOST_MS ? EXACT.format(at) : 'unknown'
}

/** `12 min ago`, `in 3 h`, `now`; far away the exact time. */
export function relativeTime(at: number, now: number): string {
  const seconds = Math.abs(at - now) / 1_000
  if (seconds < 5) return 'now'
  const unit = UNITS.find(([, , upTo]) => seconds < upTo)
  if (!unit) return exactTime(at)
  const text = `${Math.floor(seconds / unit[1])} ${unit[0]}`
  return at < now ? `${text} ago` : `in ${text}`
}

/** So long: `850 ms`, `4.2 s`, `3 min`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const seconds = ms / 1_000
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return joined(`${hours} h`, minutes % 60, 'min')
  return joined(`${Math.floor(hours / 24)} d`, hours % 24, 'h')
}

function joined(large: string, rest: number, unit: string): string {
  return rest === 0 ? large : `${large} ${rest} ${unit}`
}

/** For machines; undefined where it is no time. */
export function isoTime(at: number): string | undefined {
  return Math.abs(at) <= MOST_MS ? new Date(at).toISOString() : undefined
}
