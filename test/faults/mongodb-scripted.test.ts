import assert from 'node:assert/strict'
import { type Document, Long } from 'mongodb'
import type { ErrorCode } from '../../lib/errors.ts'
import { type Appending, appendAll, commitOf } from '../support/appending.ts'
import { assertLogSound } from '../support/invariants.ts'
import type { Script } from '../support/proxied-connection.ts'
import { openProxiedLog, type Path, type ProxiedLog } from '../support/proxied-log.ts'

/** What the server says instead of its answer, or the connection's end. */
type Words = Script | 'nothing: the connection is cut'

interface Shape {
  readonly what: string
  readonly words: Words
  /** What each append of a batch is answered when the server never carried the command out, and when it did. */
  readonly before: 'stored' | ErrorCode
  readonly after: 'stored' | ErrorCode
}

const shapes: readonly Shape[] = [
  { what: 'no answer', words: 'nothing: the connection is cut', before: 'stored', after: 'stored' },
  ...(
    [
      ['NotWritablePrimary', 10107],
      ['PrimarySteppedDown', 189],
      ['InterruptedDueToReplStateChange', 11602],
      ['ShutdownInProgress', 91],
      ['InterruptedAtShutdown', 11600],
      ['ExceededTimeLimit', 262],
      ['WriteConflict', 112],
    ] as const
  ).map(([what, code]) => ({ what, words: failure(code), before: 'stored', after: 'stored' }) as const),
  {
    what: 'NotWritablePrimary that the driver may retry',
    words: failure(10107, ['RetryableWriteError']),
    before: 'stored',
    after: 'stored',
  },
  { what: 'a write-concern error', words: concernFailed(64), before: 'stored', after: 'stored' },
  { what: 'a write-concern error of a fail-over', words: concernFailed(189), before: 'stored', after: 'stored' },
  // Refused only once the position is proven dead: a driver that retried may have been refused the second time only.
  { what: 'Unauthorized', words: failure(13), before: 'STORE_REFUSED', after: 'stored' },
  { what: 'IllegalOperation', words: failure(20), before: 'STORE_REFUSED', after: 'stored' },
]

/** How a batch goes: the quiet path is for two at most. */
const PATHS: Record<Path, { readonly command: string; readonly count: string; readonly tags: readonly string[] }> = {
  'ticket path': { command: 'insert', count: 'three', tags: ['a', 'b', 'c'] },
  'quiet path': { command: 'bulkWrite', count: 'two', tags: ['a', 'b'] },
}

for (const path of ['ticket path', 'quiet path'] as const) {
  for (const retries of [true, false]) {
    describe(`${PATHS[path].count} appends of one batch on the ${path}, with a driver that ${retries ? 'retries' : 'never retries'}`, () => {
      const { command, tags } = PATHS[path]
      let log: ProxiedLog
      const answered: Appending[] = []

      before(async () => {
        log = await openProxiedLog({ path, client: { retryWrites: retries, retryReads: retries } })
      })
      after(() => log.remove())

      for (const { what, words, ...expected } of shapes) {
        for (const when of ['before', 'after'] as const) {
          const done = when === 'before' ? 'had not carried it out' : 'had carried it out'
          it(`are ${expected[when]}, each once or not at all, after ${what} of a server that ${done}`, async () => {
            answered.push(...(await appendAll(log.store, [commitOf('quiet'), commitOf('quieter')], 'one by one')))
            const met =
              words !== 'nothing: the connection is cut'
                ? log.proxy.answer({ command }, when, words)
                : when === 'before'
                  ? log.proxy.dropBefore({ command })
                  : log.proxy.cutAfter({ command })
            const batch = await appendAll(
              log.store,
              tags.map((tag) => commitOf(tag)),
            )
            assert.equal(met.count, 1)
            assert.deepEqual(
              batch.map(({ code }) => code ?? 'stored'),
              tags.map(() => expected[when]),
            )
            answered.push(...batch)
            await assertLogSound(log.db, { answered })
          })
        }
      }
    })
  }
}

/** The server answers that the whole command failed. */
function failure(code: number, errorLabels?: readonly string[]): Script {
  return () => ({ ok: 0, code, errmsg: `scripted ${code}`, codeName: 'Scripted', ...(errorLabels && { errorLabels }) })
}

/** The server answers that all is written, but not by whom it should be. */
function concernFailed(code: number): Script {
  return (request, reply) => ({
    ...(reply['ok'] === 1 ? reply : success(request)),
    writeConcernError: { code, errmsg: `scripted ${code}`, codeName: 'Scripted' },
  })
}

function success(request: Document): Document {
  if ('insert' in request) return { ok: 1, n: (request['documents'] as Document[]).length }
  const inserted = (request['ops'] as Document[]).length - 1
  const counts = { nErrors: 0, nInserted: inserted, nMatched: 1, nModified: 1, nUpserted: 0, nDeleted: 0 }
  return { ok: 1, ...counts, cursor: { id: Long.ZERO, firstBatch: [], ns: 'admin.$cmd.bulkWrite' } }
}
