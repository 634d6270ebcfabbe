import assert from 'node:assert/strict'
import type { Commit, JsonObject } from '../../lib/index.ts'
import { remainingAfter, UNKNOWN } from '../../lib/retention/remaining.ts'

const NOW = 1_800_000_000_000

function kept(position: number, stream: string, data: JsonObject = {}): Commit {
  return {
    id: `${position}`,
    position,
    at: 0,
    events: [{ stream, type: 'stored', data }],
    meta: {},
  } as unknown as Commit
}

/** Pages of ten positions each, one after another. */
function walked(...pages: readonly (readonly Commit[])[]) {
  return pages.reduce(
    (before, page, n) => remainingAfter(before, page, { start: n * 10, end: (n + 1) * 10, now: NOW }),
    UNKNOWN,
  )
}

describe('up to where nothing is left that a mark may concern', () => {
  it('is the end of the pages that hold none, and below the first that there is', () => {
    assert.deepEqual(walked([], []), { grantable: 20, interactions: 20 })
    assert.deepEqual(walked([], [kept(15, 'AccessToken:a'), kept(17, 'RefreshToken:b')]), {
      grantable: 14,
      interactions: 20,
    })
    assert.deepEqual(walked([kept(3, 'Interaction:a')], [], [kept(25, 'Interaction:b')]), {
      grantable: 30,
      interactions: 2,
    })
  })

  it('passes over what has expired, an hour after it', () => {
    const exp = NOW / 1_000
    assert.equal(walked([kept(3, 'AccessToken:a', { exp: exp - 3_600 })]).grantable, 10)
    assert.equal(walked([kept(3, 'AccessToken:a', { exp: exp - 3_599 })]).grantable, 2)
  })

  it('goes by where something began, wherever it was stored again', () => {
    assert.equal(walked([], [], [kept(25, 'DeviceCode:a', { began: 4, again: 'commit' })]).grantable, 3)
    assert.equal(walked([], [kept(14, 'Interaction:a', { began: 8 }), kept(15, 'Interaction:b')], []).interactions, 7)
    assert.equal(walked([kept(2, 'AccessToken:a')], [kept(14, 'DeviceCode:a', { began: 8 })]).grantable, 1)
    assert.equal(walked([kept(9, 'AccessToken:a')], [kept(14, 'DeviceCode:a', { began: 4 })]).grantable, 3)
  })

  it('is found however many events a page has', () => {
    const { events, ...commit } = kept(7, 'AccessToken:a', { began: 5 })
    const many = { ...commit, events: Array.from({ length: 200_000 }, () => events[0] as Commit['events'][number]) }
    assert.equal(walked([many]).grantable, 4)
  })
})
