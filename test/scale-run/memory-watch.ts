/** What a process's memory was, after its garbage was collected. */
interface Sample {
  readonly heapUsed: number
  readonly rss: number
  /** How many sessions had ended. */
  readonly ended: number
}

/**
 * So much more may be on the heap than when the first fifth of the sessions had ended. It is what the process remembers
 * up to a limit (sessions that it has looked at lately), and what is in flight; not what has ended.
 */
export const HEAP_GROWTH_BYTES: number = 48 * 2 ** 20

/** Watches one process. */
export class MemoryWatch {
  /** How many sessions had ended when it was last told. */
  ended = 0
  readonly #name: string
  readonly #sessions: number
  readonly #samples: Sample[] = []
  #over = false

  constructor(name: string, sessions: number) {
    this.#name = name
    this.#sessions = sessions
  }

  see({ heapUsed, rss }: { readonly heapUsed: number; readonly rss: number }): void {
    if (!this.#over) this.#samples.push({ heapUsed, rss, ended: this.ended })
  }

  get now(): string {
    const last = this.#samples.at(-1)
    return last ? `heap ${megabytes(last.heapUsed)}, RSS ${megabytes(last.rss)}` : ''
  }

  /** What comes later does not count. */
  end(): { readonly figures: Record<string, string>; readonly problems: string[] } {
    this.#over = true
    const after = this.#samples.filter(({ ended }) => ended >= this.#sessions / 5)
    const [first] = after
    if (!first) return { figures: {}, problems: [] }
    const most = Math.max(...after.map(({ heapUsed }) => heapUsed))
    const growth = most - first.heapUsed
    const heaps = [0, 0.25, 0.5, 0.75, 1].map((share) => after[Math.floor(share * (after.length - 1))]?.heapUsed ?? 0)
    return {
      figures: {
        [`${this.#name}: heap from the first fifth to the end`]: heaps.map(megabytes).join(', '),
        [`${this.#name}: RSS, at most`]: megabytes(Math.max(...after.map(({ rss }) => rss))),
      },
      problems:
        growth > HEAP_GROWTH_BYTES
          ? [`${this.#name}: the heap grew by ${megabytes(growth)}, allowed are ${megabytes(HEAP_GROWTH_BYTES)}`]
          : [],
    }
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`
}
