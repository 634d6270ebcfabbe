import type { BackChannelLogout, DeadLetter, Replays } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { inParallel } from '../../../lib/in-parallel.ts'
import type { ReplayRequest } from '../api/contract.ts'
import { type DeadLetterFilter, matches } from '../api/dead-letter-filter.ts'
import type { NewOperation, OperationControl } from './operations.ts'

/** So many dead letters are held, and so many are replayed at a time. */
const PAGE = 200
const AT_ONCE = 8

type Letter = Pick<DeadLetter, 'delivery' | 'sessionUid'>

/** Sends dead letters again, one by one, so that it can be cancelled between two of them. */
export function replay(
  logout: BackChannelLogout,
  request: ReplayRequest,
  target: { readonly letters: readonly Letter[] } | { readonly matching: DeadLetterFilter },
  actor: string,
): NewOperation {
  const { dryRun = false } = request
  return {
    kind: 'replay',
    dryRun,
    request,
    actor,
    run: async (control) => {
      const of = 'letters' in target ? { of: target.letters.length } : {}
      const round = new Replaying(logout, { actor, dryRun }, control, of)
      if ('letters' in target) await round.take(target.letters)
      else for await (const page of pagesOf(logout, target.matching, control.signal)) await round.take(page)
      return round.result
    },
  }
}

class Replaying {
  readonly #logout: BackChannelLogout
  readonly #options: { readonly actor: string; readonly dryRun: boolean }
  readonly #control: OperationControl
  readonly #of: { readonly of?: number }
  #done = 0
  #replayed = 0
  #forgotten = 0

  constructor(
    logout: BackChannelLogout,
    options: { readonly actor: string; readonly dryRun: boolean },
    control: OperationControl,
    of: { readonly of?: number },
  ) {
    this.#logout = logout
    this.#options = options
    this.#control = control
    this.#of = of
  }

  get result(): Replays {
    return { replayed: this.#replayed, ...(this.#forgotten > 0 && { forgotten: this.#forgotten }) }
  }

  async take(letters: readonly Letter[]): Promise<void> {
    await inParallel(letters, AT_ONCE, async ({ delivery, sessionUid }) => {
      this.#control.signal.throwIfAborted()
      const { replayed, forgotten = 0 } = await this.#replay({ delivery, sessionUid })
      this.#done += 1
      this.#replayed += replayed
      this.#forgotten += forgotten
      this.#control.progress({ done: this.#done, ...this.#of })
    })
  }

  async #replay(letter: Letter): Promise<Replays> {
    try {
      return await this.#logout.replay(letter, this.#options)
    } catch (error) {
      // Somebody else has had it sent meanwhile.
      if (error instanceof Error && 'code' in error && error.code === 'NOT_A_DEAD_LETTER') return { replayed: 0 }
      throw error
    }
  }
}

async function* pagesOf(
  logout: BackChannelLogout,
  filter: DeadLetterFilter,
  signal: AbortSignal,
): AsyncGenerator<readonly DeadLetter[], void> {
  let cursor: string | undefined
  do {
    signal.throwIfAborted()
    const where = (letter: DeadLetter): boolean => matches(letter, filter)
    const options = { limit: PAGE, where, ...(cursor !== undefined && { cursor }) }
    const { items, next } = await logout.pages.deadLetters(filter.criteria, options)
    yield items
    cursor = next
  } while (cursor !== undefined)
}
