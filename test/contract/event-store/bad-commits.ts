import assert from 'node:assert/strict'
import type { ErrorCode } from '../../../lib/errors.ts'
import type { JsonObject, NewCommit } from '../../../lib/log/commit.ts'
import { race, rejectsWith } from './expect.ts'
import { wholeLog } from './invariants.ts'
import { commitTo, event, fresh, type MakeLog, openedLog } from './log-under-test.ts'

const cyclic: { [key: string]: unknown } = {}
cyclic['self'] = cyclic

function withData(data: unknown): NewCommit {
  return commitTo(fresh(), { data: data as JsonObject })
}

const bad: readonly [what: string, code: ErrorCode, make: () => NewCommit][] = [
  ['no events', 'COMMIT_INVALID', () => ({ events: [] })],
  ['events that are no list', 'COMMIT_INVALID', () => ({ events: undefined as unknown as [] })],
  ['an event without a stream', 'COMMIT_INVALID', () => commitTo('')],
  ['a good event and one without a stream', 'COMMIT_INVALID', () => ({ events: [event(fresh()), event('')] })],
  ['a stream that is no text', 'COMMIT_INVALID', () => commitTo(7 as unknown as string)],
  ['an event without a type', 'COMMIT_INVALID', () => commitTo(fresh(), { type: '' })],
  ['cyclic data', 'COMMIT_INVALID', () => withData(cyclic)],
  ['a BigInt in its data', 'COMMIT_INVALID', () => withData({ n: 1n })],
  ['data that throws when it is read', 'COMMIT_INVALID', () => withData({ toJSON: () => assert.fail('on purpose') })],
  ['no data', 'COMMIT_INVALID', () => withData(undefined)],
  ['null as data', 'COMMIT_INVALID', () => withData(null)],
  ['a list as data', 'COMMIT_INVALID', () => withData([1])],
  ['text as data', 'COMMIT_INVALID', () => withData('{}')],
  ['a function as data', 'COMMIT_INVALID', () => withData(() => {})],
  ['version 0', 'COMMIT_INVALID', () => commitTo(fresh(), { version: 0 })],
  ['a negative version', 'COMMIT_INVALID', () => commitTo(fresh(), { version: -1 })],
  ['half a version', 'COMMIT_INVALID', () => commitTo(fresh(), { version: 1.5 })],
  ['a version that is no number', 'COMMIT_INVALID', () => commitTo(fresh(), { version: '1' as unknown as number })],
  ['a version beyond all counting', 'COMMIT_INVALID', () => commitTo(fresh(), { version: 2 ** 53 })],
  ['half a character in its stream', 'COMMIT_INVALID', () => commitTo('a\ud800')],
  ['NUL in a key of its data', 'COMMIT_INVALID', () => withData({ in: { 'a\0': 1 } })],
  ['half a character in a key of its data', 'COMMIT_INVALID', () => withData({ 'a\ud800': 1 })],
  ['half a character in its data', 'COMMIT_INVALID', () => withData({ in: ['a\ud800'] })],
  [
    'half a character in a claim',
    'COMMIT_INVALID',
    () => ({ ...commitTo(fresh()), claims: [{ kind: 'once', mark: 'a\ud800' }] }),
  ],
  ['indexes that are no list', 'COMMIT_INVALID', () => commitTo(fresh(), { also: 'uid:1' as unknown as [] })],
  [
    'an actor that is no text',
    'COMMIT_INVALID',
    () => ({ ...commitTo(fresh()), meta: { actor: 1n as unknown as string } }),
  ],
  ['unknown metadata', 'COMMIT_INVALID', () => ({ ...commitTo(fresh()), meta: { who: 'me' } as object })],
  ['no time as its expiry', 'COMMIT_INVALID', () => ({ ...commitTo(fresh()), expiresAt: Number.NaN })],
  ['an expiry that no Date can hold', 'COMMIT_INVALID', () => ({ ...commitTo(fresh()), expiresAt: 8.64e15 + 1 })],
  ['a BigInt as its expiry', 'COMMIT_INVALID', () => ({ ...commitTo(fresh()), expiresAt: 5n as unknown as number })],
  [
    'more than 8 MB of metadata',
    'COMMIT_TOO_LARGE',
    () => ({ ...commitTo(fresh()), meta: { trace: 'x'.repeat(9e6) } }),
  ],
  ['more than 8 MB', 'COMMIT_TOO_LARGE', () => withData({ text: 'x'.repeat(8 * 1024 * 1024) })],
  ['more than 8 MB of two-byte letters', 'COMMIT_TOO_LARGE', () => withData({ text: 'é'.repeat(4 * 1024 * 1024) })],
]

export function badCommitsContract(makeLog: MakeLog): void {
  describe('a commit that cannot be stored', () => {
    const log = openedLog(makeLog)

    for (const [what, code, make] of bad) {
      it(`is refused with ${code} when it has ${what}`, async () => {
        const error = await rejectsWith(code, () => log.store.append(make()))
        assert.notEqual(error.message, '')
      })
    }

    it('leaves nothing behind and does not stop those around it', async () => {
      const from = await log.store.end()
      const stream = fresh()
      const { won, lost } = await race(
        bad.flatMap(([, , make]) => [() => log.store.append(commitTo(stream)), () => log.store.append(make())]),
      )
      assert.equal(won.length, bad.length)
      assert.deepEqual(
        lost,
        bad.map(([, code]) => code),
      )
      const commits = await wholeLog(log.store, from)
      assert.deepEqual(commits.map(({ id }) => id).sort(), won.map(({ id }) => id).sort())
      await log.store.append(commitTo(stream))
    })
  })
}
