import { type Clock, sleepOn, type Timer } from '../../lib/clock.ts'

interface Scheduled {
  readonly due: number
  readonly order: number
  readonly fn: () => void
}

/** How many turns of the event loop the code under test gets before the clock moves on. */
const SETTLING_TURNS = 6

/** A clock that stands still until a test moves it. Both of its times begin at round numbers that differ. */
export class FakeClock implements Clock {
  #wall: number
  #monotonic = 1_000
  #order = 0
  readonly #settlingTurns: number
  readonly #timers = new Set<Scheduled>()
  readonly #watchers: { readonly count: number; readonly resolve: () => void }[] = []

  /** @param settlingTurns - fewer are cheaper: what is not done by then goes on when the clock has moved */
  constructor(wall: number | string = '2026-01-01T00:00:00Z', settlingTurns: number = SETTLING_TURNS) {
    this.#settlingTurns = settlingTurns
    this.#wall = typeof wall === 'string' ? Date.parse(wall) : wall
  }

  now(): number {
    return this.#wall
  }

  monotonic(): number {
    return this.#monotonic
  }

  setTimeout(fn: () => void, delayMs: number): Timer {
    this.#order += 1
    const timer: Scheduled = { due: this.#monotonic + Math.max(0, delayMs), order: this.#order, fn }
    this.#timers.add(timer)
    this.#tellWatchers()
    return { cancel: () => this.#timers.delete(timer) }
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal)
  }

  /** Timers that wait at this moment. */
  get pending(): number {
    return this.#timers.size
  }

  /** Milliseconds until the next timer; undefined when none waits. */
  get nextInMs(): number | undefined {
    const next = this.#next(Number.POSITIVE_INFINITY)
    return next && Math.max(0, next.due - this.#monotonic)
  }

  /**
   * Resolves when at least `count` timers wait: the code under test has got as far as its sleep. Nothing else tells,
   * when there is input and output on the way there.
   */
  scheduled(count = 1): Promise<void> {
    if (this.#timers.size >= count) return Promise.resolve()
    return new Promise((resolve) => this.#watchers.push({ count, resolve }))
  }

  /**
   * Moves both times on, calling each timer at its moment and in its order, those included that are set on the way. In
   * between, what is ready to run runs; it does not wait for sockets or files.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms
    await settle(this.#settlingTurns)
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#moveTo(Math.max(timer.due, this.#monotonic))
      this.#timers.delete(timer)
      timer.fn()
      await settle(this.#settlingTurns)
    }
    this.#moveTo(end)
  }

  /** Moves on to the next timer, however far it is. */
  async advanceToNext(): Promise<void> {
    await settle(this.#settlingTurns)
    const ms = this.nextInMs
    if (ms === undefined) throw new Error('no timer waits')
    await this.advance(ms)
  }

  /**
   * What a machine sees that was suspended, or whose process was stopped: time has passed at once, and every timer that
   * became due meanwhile is late.
   */
  async suspend(ms: number): Promise<void> {
    await settle(this.#settlingTurns)
    this.#moveTo(this.#monotonic + ms)
    await this.advance(0)
  }

  /** What an operator or a time server does: the wall clock jumps, timers and the monotonic time do not notice. */
  jumpWall(ms: number): void {
    this.#wall += ms
  }

  #moveTo(monotonic: number): void {
    this.#wall += monotonic - this.#monotonic
    this.#monotonic = monotonic
  }

  #next(latest: number): Scheduled | undefined {
    let next: Scheduled | undefined
    for (const timer of this.#timers) {
      if (timer.due > latest) continue
      if (!next || timer.due < next.due || (timer.due === next.due && timer.order < next.order)) next = timer
    }
    return next
  }

  #tellWatchers(): void {
    for (const watcher of this.#watchers.filter(({ count }) => this.#timers.size >= count)) {
      this.#watchers.splice(this.#watchers.indexOf(watcher), 1)
      watcher.resolve()
    }
  }
}

async function settle(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
