import type { DeadLetter, Page, PendingDelivery } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { type Clock, consoleLogger, type Logger, type Timer } from '../../../lib/index.ts'
import { assertKnown, requiredOneOf, text } from '../../../lib/web/fields.ts'
import { DATA_HEADERS } from '../../../lib/web/page-headers.ts'
import { WebError } from '../../../lib/web/web-error.ts'
import { csvRow } from './csv.ts'
import { contains, FILTER_FIELDS, filterIn, matches } from './dead-letter-filter.ts'
import { given } from './page-fields.ts'
import type { Route } from './route.ts'

/** So many rows a file has at most, and so many are read at a time. */
const MOST_ROWS = 100_000
const PAGE = 200

/** So many files are written at a time. */
const MOST_AT_ONCE = 4

/** A file that nobody goes on reading for so long, in milliseconds, is given up: its place is for others. */
const STALLED_MS = 120_000

type Cell = string | number | undefined

/** A list as a file. */
interface Sheet<T extends object> {
  readonly name: string
  readonly columns: readonly (readonly [string, (item: T) => Cell])[]
  page(cursor: string | undefined): Promise<Page<T>>
}

/** Writes lists as files, some at a time. */
export class Exports {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #mostRows: number
  #writing = 0

  constructor(
    clock: Clock,
    { logger = consoleLogger, mostRows = MOST_ROWS }: { readonly logger?: Logger; readonly mostRows?: number } = {},
  ) {
    this.#clock = clock
    this.#logger = logger
    this.#mostRows = mostRows
  }

  /** @throws WebError (`TOO_MANY_EXPORTS`) */
  answer<T extends object>(sheet: Sheet<T>, format: 'csv' | 'json'): Response {
    if (this.#writing >= MOST_AT_ONCE)
      throw new WebError(
        429,
        'TOO_MANY_EXPORTS',
        `at most ${MOST_AT_ONCE} files are written at a time: wait for one of them`,
      )
    this.#writing += 1
    const parts = format === 'csv' ? this.#csv(sheet) : this.#json(sheet)
    return new Response(
      bodyOf(parts, this.#clock, {
        onEnd: () => (this.#writing -= 1),
        onFailure: (err) =>
          this.#logger.warn({ event: 'console_export_failed', err, list: sheet.name }, 'a file has broken off'),
      }),
      {
        headers: {
          ...DATA_HEADERS,
          'Content-Type': format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/json',
          'Content-Disposition': `attachment; filename="${sheet.name}.${format}"`,
        },
      },
    )
  }

  async *#csv<T extends object>(sheet: Sheet<T>): AsyncGenerator<string, void> {
    yield csvRow(sheet.columns.map(([name]) => name))
    const rows = this.#rows(sheet)
    for (let next = await rows.next(); ; next = await rows.next()) {
      if (next.done) {
        if (!next.value) yield csvRow([`cut short: there are more than ${this.#mostRows} rows, narrow the filter`])
        return
      }
      yield next.value.map((item) => csvRow(sheet.columns.map(([, of]) => of(item)))).join('')
    }
  }

  async *#json<T extends object>(sheet: Sheet<T>): AsyncGenerator<string, void> {
    yield '{"rows":['
    const rows = this.#rows(sheet)
    let separator = '\n'
    for (let next = await rows.next(); ; next = await rows.next()) {
      if (next.done) {
        yield `\n],"isComplete":${next.value}}\n`
        return
      }
      const rowsOfPage = next.value.map((item) => JSON.stringify(item)).join(',\n')
      yield rowsOfPage && `${separator}${rowsOfPage}`
      if (rowsOfPage) separator = ',\n'
    }
  }

  /**
   * Page by page, also those in which nothing was meant: between two of them it can be ended.
   *
   * @returns whether there are no more
   */
  async *#rows<T extends object>({ page }: Sheet<T>): AsyncGenerator<readonly T[], boolean> {
    let left = this.#mostRows
    let cursor: string | undefined
    do {
      const { items, next } = await page(cursor)
      if (items.length > left) {
        yield items.slice(0, left)
        return false
      }
      yield items
      left -= items.length
      cursor = next
    } while (cursor !== undefined)
    return true
  }
}

export const exportDeadLetters: Route = {
  role: 'viewer',
  handle({ logout, exports, fields }) {
    assertKnown(fields, ['format', ...FILTER_FIELDS])
    const filter = filterIn(fields)
    const where = (letter: DeadLetter): boolean => matches(letter, filter)
    return exports.answer<DeadLetter>(
      {
        name: 'dead-letters',
        columns: [
          ...NAMES,
          ['at', ({ at }) => timeOf(at)],
          ['state', ({ state }) => state],
          ['failure_reason', ({ failureReason }) => failureReason],
          ...OUTCOME,
        ],
        page: (cursor) => logout.pages.deadLetters(filter.criteria, { limit: PAGE, where, ...cursorOf(cursor) }),
      },
      formatIn(fields),
    )
  },
}

export const exportPending: Route = {
  role: 'viewer',
  handle({ logout, exports, fields }) {
    assertKnown(fields, ['format', 'client', 'q'])
    const q = text(fields, 'q')
    const where = (pending: PendingDelivery): boolean => contains(pending, q)
    return exports.answer<PendingDelivery>(
      {
        name: 'pending',
        columns: [
          ...NAMES,
          ['due_at', ({ dueAt }) => timeOf(dueAt)],
          ['expires_at', ({ expiresAt }) => (expiresAt === undefined ? undefined : timeOf(expiresAt))],
          ['in_hand', ({ inHand }) => String(inHand)],
          ...OUTCOME,
        ],
        page: (cursor) => logout.pages.pending(given(fields, ['client']), { limit: PAGE, where, ...cursorOf(cursor) }),
      },
      formatIn(fields),
    )
  },
}

type Both = DeadLetter | PendingDelivery

const NAMES: readonly (readonly [string, (item: Both) => Cell])[] = [
  ['delivery', ({ delivery }) => delivery],
  ['client_id', ({ clientId }) => clientId],
  ['session_uid', ({ sessionUid }) => sessionUid],
  ['sid', ({ sid }) => sid],
  ['reason', ({ reason }) => reason],
  ['ended_at', ({ endedAt }) => timeOf(endedAt)],
]

const OUTCOME: readonly (readonly [string, (item: Both) => Cell])[] = [
  ['attempts', ({ attempts }) => attempts],
  ['replays', ({ replays }) => replays],
  ['status', ({ status }) => status],
  ['error', ({ error }) => error],
  ['answer', ({ answer }) => answer],
]

function formatIn(fields: Parameters<typeof requiredOneOf>[0]): 'csv' | 'json' {
  return requiredOneOf(fields, 'format', ['csv', 'json'])
}

function cursorOf(cursor: string | undefined): { readonly cursor?: string } {
  return cursor === undefined ? {} : { cursor }
}

/** ISO 8601; what a store or a delivery deadline says at its extremes may be no date. */
function timeOf(at: number): Cell {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? at : date.toISOString()
}

/** Reads on when what was read before was taken, and lets go when nobody takes any more. */
function bodyOf(
  parts: AsyncGenerator<string, void>,
  clock: Pick<Clock, 'setTimeout'>,
  { onEnd, onFailure }: { readonly onEnd: () => void; readonly onFailure: (error: unknown) => void },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let stalled: Timer | undefined
  let isOver = false
  const over = (): void => {
    stalled?.cancel()
    if (!isOver) onEnd()
    isOver = true
  }
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      stalled?.cancel()
      try {
        for (let next = await parts.next(); !isOver; next = await parts.next()) {
          if (next.done) {
            over()
            return controller.close()
          }
          if (next.value === '') continue
          controller.enqueue(encoder.encode(next.value))
          stalled = clock.setTimeout(() => {
            over()
            controller.error(new Error('nobody goes on reading the file'))
            void parts.return()
          }, STALLED_MS)
          return
        }
      } catch (error) {
        if (!isOver) onFailure(error)
        over()
        throw error
      }
    },
    async cancel() {
      over()
      await parts.return()
    },
  })
}
