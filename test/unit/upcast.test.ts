import assert from 'node:assert/strict'
import { type Upcast, upcast } from '../../lib/log/upcast.ts'

const STORED = {
  position: 7,
  id: 'c',
  at: 1,
  meta: { instance: 'https://op.example.com' },
  events: [
    { stream: 'Thing:1', also: ['uid:1'], type: 'thing.made', version: 3, data: { n: 1 } },
    { stream: 'Thing:2', type: 'other', data: {} },
  ],
}

/** Version 2 calls it another name, version 3 writes the number as text. */
const UPCASTS: readonly Upcast[] = [
  { from: 1, event: ({ type, data }) => ({ type: type === 'thing.made' ? 'thing.stored' : type, data }) },
  {
    from: 2,
    event: ({ type, data }) => ({ type, data: type === 'thing.stored' ? { ...data, n: String(data['n']) } : data }),
  },
]

describe('a commit of a former schema version', () => {
  it('is read as this version has it, step by step, from the version that it was stored in', () => {
    const read = (version: number): unknown =>
      upcast(STORED, version, UPCASTS).events.map(({ type, data }) => [type, data])
    assert.deepEqual(read(1), [
      ['thing.stored', { n: '1' }],
      ['other', {}],
    ])
    assert.deepEqual(read(2), [
      ['thing.made', { n: 1 }],
      ['other', {}],
    ])
    assert.equal(upcast(STORED, 3, UPCASTS), STORED)
  })

  it('is found by what it was stored under, whatever an upcast says, and stays as it was', () => {
    const before = structuredClone(STORED)
    const moves: Upcast = {
      from: 1,
      event: () => ({ type: 't', data: {}, stream: 'Other:1', also: [], version: 9 }) as never,
    }
    const { events, ...rest } = upcast(STORED, 1, [moves])
    assert.deepEqual(
      events.map(({ stream, also, version }) => [stream, also, version]),
      STORED.events.map(({ stream, also, version }) => [stream, also, version]),
    )
    const { events: _, ...same } = STORED
    assert.deepEqual(rest, same)
    assert.deepEqual(STORED, before)
  })
})
