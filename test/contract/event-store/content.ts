import assert from 'node:assert/strict'
import fc from 'fast-check'
import { EventStoreError } from '../../../lib/errors.ts'
import type { JsonObject, NewCommit, NewEvent } from '../../../lib/log/commit.ts'
import { anyCharacter } from '../../support/any-character.ts'
import { present } from './expect.ts'
import { type Capabilities, commitTo, event, fresh, type MakeLog, openedLog } from './log-under-test.ts'

/** Any text that is well-formed Unicode, often with what databases find special. */
const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: anyCharacter }) },
  {
    weight: 1,
    arbitrary: fc.string({ unit: fc.constantFrom('.', '$', '\0', '\n', '"', '\\', '%', ':', '@', 'é', '😀', 'a') }),
  },
)
const key = fc
  .oneof(text, fc.constantFrom('__proto__', 'constructor', '_id', '$set', 'a.b', '', '0', '$'))
  .filter((name) => !name.includes('\0'))
const { value } = fc.letrec<{ value: JsonObject[string]; object: JsonObject }>((tie) => ({
  object: fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  value: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(fc.constant(null), fc.boolean(), text, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object'),
  ),
}))
const data: fc.Arbitrary<JsonObject> = fc.dictionary(key, value, { maxKeys: 6, noNullPrototype: true })

const newEvent: fc.Arbitrary<NewEvent> = fc
  .record({ stream: text, also: fc.array(text.filter(notEmpty), { maxLength: 3 }), type: text.filter(notEmpty), data })
  .map(({ stream, also, ...rest }) => ({ stream: `s${stream}`, ...(also.length > 0 && { also }), ...rest }))

function notEmpty(value: string): boolean {
  return value !== ''
}

/** What JSON makes of it: -0 becomes 0. */
function asJson<T>(from: T): T {
  return JSON.parse(JSON.stringify(from)) as T
}

export function contentContract(makeLog: MakeLog, { propertyRuns = 100, meta: added = {} }: Capabilities): void {
  describe('what was appended', () => {
    const log = openedLog(makeLog)

    it('comes back unchanged, whatever is in it', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(newEvent, { minLength: 1, maxLength: 4 }), async (events) => {
          const { position } = await log.store.append({ events })
          const [commit] = await log.store.readAll({ after: position - 1, limit: 1 })
          assert.deepEqual(commit?.events, asJson(events))
        }),
        { numRuns: propertyRuns },
      )
    })

    it('is found by each stream it names, whatever the name', async () => {
      await fc.assert(
        fc.asyncProperty(text.filter(notEmpty), text.filter(notEmpty), async (stream, index) => {
          const { position } = await log.store.append(commitTo(stream, { also: [index] }))
          assert.equal((await log.store.latest(stream))?.position, position)
          assert.equal((await log.store.latest(index))?.position, position)
          assert.deepEqual((await log.store.readStreams([stream, index])).at(-1)?.position, position)
        }),
        { numRuns: propertyRuns },
      )
    })

    it('is found by the exact name of its stream only', async () => {
      const stream = fresh()
      const lookalikes = [
        `${stream}.`,
        `${stream} `,
        `${stream}$`,
        stream.toUpperCase(),
        `${stream}\0`,
        `${stream}e\u0301`,
        `${stream}\u00e9`,
      ]
      for (const name of lookalikes) await log.store.append(commitTo(name))
      assert.equal(await log.store.latest(stream), undefined)
      for (const name of lookalikes) assert.equal((await log.store.read(name)).length, 1, JSON.stringify(name))
    })

    it('keeps keys with dots and dollars', async () => {
      const stream = fresh()
      const odd = { 'a.b': 1, $set: { $where: '1' }, 'x.$.y': [{ '$ref.': null }], '.': {}, $: '$', '': 0 }
      await log.store.append(commitTo(stream, { data: odd }))
      assert.deepEqual((await log.store.latest(stream))?.events[0]?.data, odd)
    })

    it('keeps a key named __proto__ as a key', async () => {
      const stream = fresh()
      const odd = JSON.parse('{"__proto__": {"admin": true}, "n": 1}') as JsonObject
      await log.store.append(commitTo(stream, { data: odd }))
      const stored = present(await log.store.latest(stream)).events[0]?.data
      assert.deepEqual(Object.keys(stored ?? {}), ['__proto__', 'n'])
      assert.equal(JSON.stringify(stored), JSON.stringify(odd))
    })

    it('keeps numbers as they are', async () => {
      const stream = fresh()
      const numbers = [
        0,
        1,
        -1,
        1.5,
        2 ** 31,
        2 ** 32 + 1,
        Number.MAX_SAFE_INTEGER,
        Number.MIN_SAFE_INTEGER,
        1e300,
        5e-324,
      ]
      await log.store.append(commitTo(stream, { data: { numbers } }))
      assert.deepEqual((await log.store.latest(stream))?.events[0]?.data, { numbers })
    })

    for (const [what, odd] of [
      ['a NUL in a key', { 'a\0b': 1 }],
      ['half a surrogate pair', { text: 'a\ud800b' }],
    ] as const) {
      it(`is kept or refused with ${what} in it, never changed`, async () => {
        const stream = fresh()
        const refused = await log.store.append(commitTo(stream, { data: odd })).then(
          () => false,
          (error: unknown) => error instanceof EventStoreError && error.code === 'COMMIT_INVALID',
        )
        const found = await log.store.latest(stream)
        if (refused) assert.equal(found, undefined)
        else assert.deepEqual(found?.events[0]?.data, odd)
      })
    }

    it('keeps who did it, when it expires and about when it was', async () => {
      const stream = fresh()
      const meta = {
        instance: 'https://op.example',
        actor: 'system',
        trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      }
      await log.store.append({ ...commitTo(stream), meta, expiresAt: 1_900_000_000_123 })
      const commit = present(await log.store.latest(stream))
      assert.deepEqual(commit.meta, meta)
      assert.equal(commit.expiresAt, 1_900_000_000_123)
      assert.ok(Math.abs(commit.at - Date.now()) < 60_000)
    })

    it('shows nothing but what belongs to a commit', async () => {
      const stream = fresh()
      await log.store.append({ ...commitTo(stream), claims: [{ kind: 'once', mark: fresh('mark') }] })
      const commit = present(await log.store.latest(stream))
      assert.deepEqual(Object.keys(commit).sort(), ['at', 'events', 'id', 'meta', 'position'])
      assert.deepEqual(Object.keys(present(commit.events[0])).sort(), ['data', 'stream', 'type'])
      assert.deepEqual(commit.meta, added)
    })

    it('is what it was when append was called, whatever the caller does to it afterwards', async () => {
      const [stream, index] = [fresh(), fresh('uid')]
      const also = [index]
      const inner = { list: [1, 2] }
      const events = [{ stream, also, type: 'thing.happened', data: { inner } }]
      const meta = { actor: 'operator' }
      const commit: NewCommit = { events, meta }
      const appended = log.store.append(commit)
      also.push(fresh('uid'))
      inner.list.push(3)
      events.push({ stream, also, type: 'thing.ended', data: { inner } })
      meta.actor = 'nobody'
      await appended
      inner.list.push(4)
      assert.deepEqual(present(await log.store.latest(stream)).meta, { actor: 'operator', ...added })
      assert.deepEqual(present(await log.store.latest(stream)).events, [
        { stream, also: [index], type: 'thing.happened', data: { inner: { list: [1, 2] } } },
      ])
    })

    it('is not changed by what a reader does to the commit it got', async () => {
      const stream = fresh()
      await log.store.append(commitTo(stream, { data: { inner: { list: [1] } } }))
      const got = present(await log.store.latest(stream))
      for (const change of [
        () => Object.assign(got.events[0]?.data ?? {}, { inner: 'gone' }),
        () => Object.assign(got.events[0]?.data['inner'] ?? {}, { list: [] }),
        () => Object.assign(got, { events: [] }),
      ]) {
        try {
          change()
        } catch (error) {
          assert.ok(error instanceof TypeError) // frozen
        }
      }
      assert.deepEqual((await log.store.latest(stream))?.events, [event(stream, { data: { inner: { list: [1] } } })])
    })
  })
}
