import type { Figures } from '../fault-run/figures.ts'
import type { Held } from '../support/op-program.ts'

/** A process is warm after this part of the run: until then it fills what it holds up to a limit. */
const WARM = 0.4

/** So much more may a process hold at the end than when it was warm: what is in flight when it is looked at. */
const MORE = { heapUsed: 32 * 2 ** 20, resources: 200 }

/** What the processes hold of the machine, as a run goes on. */
export class Holdings {
  readonly #looks: readonly Held[][]

  constructor(processes: number) {
    this.#looks = Array.from({ length: processes }, () => [])
  }

  see(held: readonly Held[]): void {
    for (const [index, one] of held.entries()) this.#looks[index]?.push(one)
  }

  get now(): string {
    const last = this.#looks.flatMap((looks) => looks.at(-1) ?? [])
    return `heap ${last.map(({ heapUsed }) => megabytes(heapUsed)).join(', ')}`
  }

  get figures(): Figures {
    return Object.fromEntries(
      this.#looks.flatMap((looks, index) => {
        const name = `process ${index + 1}`
        const at = (share: number): Held | undefined =>
          looks[Math.min(looks.length - 1, Math.floor(looks.length * share))]
        const heaps = [0, 0.25, 0.5, 0.75, 1].map((share) => megabytes(at(share)?.heapUsed ?? 0))
        return [
          [`${name}: heap, in the course of the run`, heaps.join(', ')],
          [`${name}: sockets and timers, when warm and at the end`, `${at(WARM)?.resources}, ${at(1)?.resources}`],
        ]
      }),
    )
  }

  get violations(): string[] {
    return this.#looks.flatMap((looks, index) => {
      const warm = looks.slice(Math.floor(looks.length * WARM), Math.floor(looks.length * WARM) + 3)
      const last = looks.slice(-3)
      return (['heapUsed', 'resources'] as const).flatMap((what) => {
        const least = (some: readonly Held[]): number => Math.min(...some.map((one) => one[what]))
        const more = least(last) - least(warm)
        return more > MORE[what] ? [`process ${index + 1} holds ${more} more (${what}) than when it was warm`] : []
      })
    })
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`
}
