import { type Commit, Consumer, type ConsumerOptions, type EventStore } from '../../lib/index.ts'
import { FakeClock } from './fake-clock.ts'
import { KeptLog } from './kept-log.ts'

/** A process with a consumer in it, on a clock of its own: while that stands still, the process does. */
export interface Follower {
  readonly clock: FakeClock
  readonly log: KeptLog
  readonly consumer: Consumer
  /** The positions that its handler was done with, in order. */
  readonly handled: readonly number[]
}

export function follower(
  store: EventStore,
  name: string,
  handle: (commits: readonly Commit[]) => Promise<void> = async () => {},
  more: Partial<ConsumerOptions> = {},
): Follower {
  const clock = new FakeClock()
  const log = new KeptLog()
  const handled: number[] = []
  const consumer = new Consumer({
    store,
    name,
    clock,
    logger: log,
    async handle(commits) {
      await handle(commits)
      handled.push(...commits.map(({ position }) => position))
    },
    ...more,
  })
  return { clock, log, consumer, handled }
}

/** Resolves when the condition holds. In between, what waits for input and output goes on, and these clocks move. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  clocks: readonly FakeClock[] = [],
  stepMs = 500,
): Promise<void> {
  while (!(await holds())) {
    for (const clock of clocks) await clock.advance(stepMs)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Someone who is held up until a test lets them go on. */
export class Obstacle {
  readonly reached: Promise<void>
  #arrive = (): void => {}
  #leave = (): void => {}
  readonly #gone: Promise<void>

  constructor() {
    this.reached = new Promise((resolve) => {
      this.#arrive = resolve
    })
    this.#gone = new Promise((resolve) => {
      this.#leave = resolve
    })
  }

  pass(): Promise<void> {
    this.#arrive()
    return this.#gone
  }

  remove(): void {
    this.#leave()
  }
}
