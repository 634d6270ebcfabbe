import type { IndexPlace } from '../../../lib/index.ts'
import type { DeadLetter } from '../dead-letters/dead-letter.ts'
import {
  assertDeadLetters,
  type DeadLetterCriteria,
  type DeadLetterParts,
  deadLettersIn,
} from '../dead-letters/listing.ts'
import type { ParkedCommit, ParkedCommits } from '../delivery/parked-commits.ts'
import { assertPending, type PendingCriteria, type PendingDelivery, type PendingParts } from '../delivery/pending.ts'
import type { LiveSession, LiveSessionParts } from '../ending/live-sessions.ts'
import type { TerminationStatus, Terminations } from '../ending/terminations.ts'
import { assertHistory, type HistoryCriteria, type HistoryParts, historyIn } from '../receipts/history.ts'
import type { Receipt } from '../receipts/receipt.ts'
import { type LogPage, logPage } from './log-page.ts'
import { assertPage, cursorAt, hasShape, limitOf, type Page, type PageOptions, placeAt } from './page.ts'
import { pendingPage } from './pending-page.ts'
import { assertSessions, type SessionCriteria, sessionPage } from './session-page.ts'

/** What pages are made of. */
export interface LogoutPagesParts {
  readonly sessions: LiveSessionParts
  readonly history: HistoryParts
  readonly deadLetters: DeadLetterParts
  readonly pending: PendingParts
  readonly parked: ParkedCommits
  readonly terminations: Terminations
}

/**
 * The lists of back-channel logout a page at a time, for whoever cannot hold an iterator open: a page in a browser. What one
 * call costs is bounded, however long the list is and however little of it is meant. All of them throw OptionInvalidError
 * (`OPTION_INVALID`).
 */
export class LogoutPages {
  readonly #parts: () => LogoutPagesParts

  constructor(parts: () => LogoutPagesParts) {
    this.#parts = parts
  }

  /**
   * Live sessions of an account, at a client, or all of the issuer. One that is used while the pages are asked for may be
   * told twice.
   */
  async sessions(criteria: SessionCriteria, options: PageOptions<LiveSession> = {}): Promise<Page<LiveSession>> {
    assertSessions(criteria)
    assertPage(options)
    return sessionPage(this.#parts().sessions, criteria, options)
  }

  /** As `history()`, the newest first. */
  async history(criteria: HistoryCriteria = {}, options: PageOptions<Receipt> = {}): Promise<Page<Receipt>> {
    assertHistory(criteria, {})
    assertPage(options)
    const { history } = this.#parts()
    return logPage(
      {
        name: `history ${JSON.stringify([criteria.account, criteria.client])}`,
        end: () => history.store.end(),
        async *read({ end, to, size }): AsyncGenerator<LogPage<Receipt>> {
          for await (const { receipts, ...page } of historyIn(history, criteria, { order: 'newest' }, size, {
            end,
            to,
          }))
            yield { ...page, found: receipts.map(({ receipt, ...at }) => ({ item: receipt, ...at })) }
        },
      },
      options,
    )
  }

  /** As `deadLetters()`, the newest first. */
  async deadLetters(
    criteria: DeadLetterCriteria = {},
    options: PageOptions<DeadLetter> = {},
  ): Promise<Page<DeadLetter>> {
    assertDeadLetters(criteria)
    assertPage(options)
    const { deadLetters } = this.#parts()
    return logPage(
      {
        name: `dead letters ${criteria.client ?? ''}`,
        end: () => deadLetters.store.end(),
        async *read({ to, size }): AsyncGenerator<LogPage<DeadLetter>> {
          const newest = { ...criteria, order: 'newest' } as const
          for await (const { letters, ...page } of deadLettersIn(deadLetters, newest, size, to))
            yield { ...page, found: letters.map(({ letter, position, index }) => ({ item: letter, position, index })) }
        },
      },
      options,
    )
  }

  /** As `pending()`: by client, those due first. */
  async pending(
    criteria: PendingCriteria = {},
    options: PageOptions<PendingDelivery> = {},
  ): Promise<Page<PendingDelivery>> {
    assertPending(criteria, {})
    assertPage(options)
    return pendingPage(this.#parts().pending, criteria, options)
  }

  /** As `parked()`, the last parked first. */
  async parked(options: Omit<PageOptions<ParkedCommit>, 'where'> = {}): Promise<Page<ParkedCommit>> {
    assertPage(options)
    const after = placeAt<IndexPlace>('parked', options.cursor, isIndexPlace)
    const { commits, looked, next } = await this.#parts().parked.page(limitOf(options), after)
    return { items: commits, looked, ...(next && { next: cursorAt('parked', next) }) }
  }

  /** As `terminations()`, the newest first. */
  async terminations(options: PageOptions<TerminationStatus> = {}): Promise<Page<TerminationStatus>> {
    assertPage(options)
    const { terminations, history } = this.#parts()
    return logPage(
      {
        name: 'terminations',
        end: () => history.store.end(),
        async *read({ end, to, size }): AsyncGenerator<LogPage<TerminationStatus>> {
          for await (const { terminations: found, ...page } of terminations.listIn(size, to === end ? undefined : to))
            yield { ...page, found: found.map(({ status, position }) => ({ item: status, position, index: 0 })) }
        },
      },
      options,
    )
  }
}

function isIndexPlace(place: unknown): place is IndexPlace {
  return hasShape(place, { first: 'whole', id: 'string' })
}
