import type { Commit } from '../../../lib/log/commit.ts'
import type { EventStore } from '../../../lib/log/event-store.ts'

/** Follows a log and keeps what it was given. */
export class Follower {
  readonly commits: Commit[] = []
  /** Settles when the subscription has ended. */
  readonly ended: Promise<void>
  readonly #abort = new AbortController()
  readonly #missing = new Set<string>()
  #complete: (() => void) | undefined

  constructor(store: EventStore, after: number) {
    this.ended = this.#follow(store.subscribe({ after, signal: this.#abort.signal }))
    this.ended.catch(() => {}) // told to whoever waits for it
  }

  get ids(): string[] {
    return this.commits.map(({ id }) => id)
  }

  /** Resolves when all these commits were delivered; rejects when the subscription ends before that. */
  async saw(ids: Iterable<string>): Promise<void> {
    for (const id of ids) this.#missing.add(id)
    for (const { id } of this.commits) this.#missing.delete(id)
    if (this.#missing.size === 0) return
    const complete = new Promise<void>((resolve) => {
      this.#complete = resolve
    })
    const tooEarly = this.ended.then(() => {
      if (this.#missing.size > 0)
        throw new Error(`the subscription ended, ${this.#missing.size} commits were not delivered`)
    })
    await Promise.race([complete, tooEarly])
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await this.ended
  }

  async #follow(batches: AsyncIterable<readonly Commit[]>): Promise<void> {
    for await (const batch of batches) {
      this.commits.push(...batch)
      for (const { id } of batch) this.#missing.delete(id)
      if (this.#missing.size === 0) this.#complete?.()
    }
  }
}
