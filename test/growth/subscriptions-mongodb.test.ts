import assert from 'node:assert/strict'
import { ephemeralKeys } from '../../lib/secrets/key-ring.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { append, commitOf } from '../support/appending.ts'
import { CountedStore, counted } from '../support/counted-store.ts'
import { privateDatabase } from '../support/mongo-database.ts'

/** Reads of the log itself: not of its end, nor of the counter. */
const isRead = ({ name }: { readonly name: string }): boolean => name === 'find events'

describe('subscriptions of one process', () => {
  const mongo = privateDatabase()
  let process: CountedStore

  before(async () => {
    process = await CountedStore.open(mongo, ephemeralKeys())
  })
  after(() => process.close())

  let commits = 0
  for (const count of [1, 100, 10_000]) {
    it(`read ${count} commits once, however many they are`, async () => {
      const { store } = process
      const answers = await Promise.all(range(count).map((n) => append(store, commitOf(`${n}`))))
      commits += count
      const ids = answers.map(({ id }) => String(id))
      const { commands, result } = await process.during(async () => {
        const followers = range(10).map(() => new Follower(store, 0))
        await Promise.all(followers.map((follower) => follower.saw(ids)))
        return followers
      })
      for (const follower of result) {
        assert.equal(follower.commits.length, commits)
        await follower.stop()
      }
      const reads = commands.filter(isRead)
      assert.ok(reads.length <= Math.ceil(commits / 500) + 5, counted(commands))
    })
  }

  it('read what is appended once, as it comes', async () => {
    const { store } = process
    const followers = range(10).map(() => new Follower(store, commits))
    await Promise.all(followers.map((follower) => follower.saw([])))
    const { commands } = await process.during(async () => {
      for (const n of range(50)) {
        const { id } = await append(store, commitOf(`live ${n}`))
        await Promise.all(followers.map((follower) => follower.saw([String(id)])))
      }
    })
    for (const follower of followers) await follower.stop()
    const reads = commands.filter(isRead)
    assert.ok(reads.length <= 60, counted(commands)) // one look behind each at most: the change stream tells nothing new
  })
})
