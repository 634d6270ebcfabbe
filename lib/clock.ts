/** A started timer. */
export interface Timer {
  /** Stops the timer; its function is not called any more. Harmless when it fired already. */
  cancel(): void
}

/**
 * Everything this project knows of time. Nothing but this file reads the clock of the machine, so that a test can hand
 * in one that it moves by hand.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970. May jump; used for what people and protocols read, never for leases. */
  now(): number
  /** Milliseconds since an arbitrary moment; never goes back. Used to measure how long something stood still. */
  monotonic(): number
  /** Calls `fn` once, `delayMs` milliseconds from now. Does not keep the process alive. */
  setTimeout(fn: () => void, delayMs: number): Timer
  /** Resolves after `delayMs` milliseconds, or at once when `signal` aborts. Never rejects. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** Sleeping in terms of `setTimeout`; shared by the machine's clock and by the tests' clock. */
export function sleepOn(clock: Pick<Clock, 'setTimeout'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.setTimeout(done, delayMs)
    signal?.addEventListener('abort', done, { once: true })
  })
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout(fn, delayMs) {
    const timer = setTimeout(fn, delayMs)
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  sleep: (delayMs, signal) => sleepOn(systemClock, delayMs, signal),
}

/** Calls `fn` when everything that can run now has run: no time passes, so that it needs no clock. */
export function onNextTurn(fn: () => void): void {
  setImmediate(fn)
}

/** A function that has `fn` called once in the next turn of the event loop, however often it is called until then. */
export function oncePerTurn(fn: () => void): () => void {
  let isScheduled = false
  return () => {
    if (isScheduled) return
    isScheduled = true
    onNextTurn(() => {
      isScheduled = false
      fn()
    })
  }
}
