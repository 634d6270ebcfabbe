import { type ReadonlySignal, signal } from '@preact/signals'

/** How often texts such as "3 min ago" are made anew, in milliseconds. */
const TICK_MS = 5_000

/** A difference between the clocks that answers may have by their way alone, in milliseconds. */
const TOLERATED_MS = 2_500

let offsetMs = 0
const ticks = signal(Date.now())

/** The server's time, in milliseconds since 1970: the times that are shown are all the server's. */
export function now(): number {
  return Date.now() + offsetMs
}

/** The same, as often as texts need it. */
export const currentTime: ReadonlySignal<number> = ticks

/** Takes the server's time from the `Date` header of an answer. */
export function learnServerTime(date: string | null): void {
  const at = date === null ? Number.NaN : Date.parse(date)
  if (Number.isNaN(at)) return
  const difference = at - Date.now()
  offsetMs = Math.abs(difference) > TOLERATED_MS ? difference : 0
}

/** Calls once, after so many milliseconds. Returns what calls it off. */
export function after(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms)
  return () => clearTimeout(timer)
}

/** Resolves after so many milliseconds; rejects as soon as the signal aborts. */
export function pause(ms: number, abort: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    abort.throwIfAborted()
    const stop = after(ms, () => {
      abort.removeEventListener('abort', aborted)
      resolve()
    })
    const aborted = () => {
      stop()
      reject(abort.reason)
    }
    abort.addEventListener('abort', aborted, { once: true })
  })
}

/** Starts the clock of the texts. It stands still while nobody looks. */
export function startClock(): void {
  setInterval(() => {
    if (document.visibilityState === 'visible') ticks.value = now()
  }, TICK_MS)
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') ticks.value = now()
  })
}
