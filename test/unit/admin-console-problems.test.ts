import assert from 'node:assert/strict'
import { problemsOf } from '../../plugins/admin-console/api/problems.ts'

describe('what needs an operator', () => {
  const messages = (count: number): string[] => {
    const health = {
      isWell: false,
      isOn: true,
      store: { isReachable: true },
      forged: { commits: count, first: 7 },
      planner: { behind: count, behindMs: 90_000 },
      parked: { count, isExact: false },
    }
    const standing = { health, paused: [] } as unknown as Parameters<typeof problemsOf>[0]
    return problemsOf(standing).map(({ message }) => message)
  }

  it('counts one as one, and more as more', () => {
    assert.deepEqual(messages(1), [
      '1 commit in the database was not stored by this OP; the first is at position 7.',
      'The planner is 1 commit behind, the oldest of them for 90 s.',
      'At least 1 commit could not be planned: the logouts caused there are told to nobody.',
    ])
    assert.deepEqual(messages(2), [
      '2 commits in the database were not stored by this OP; the first is at position 7.',
      'The planner is 2 commits behind, the oldest of them for 90 s.',
      'At least 2 commits could not be planned: the logouts caused there are told to nobody.',
    ])
  })
})
