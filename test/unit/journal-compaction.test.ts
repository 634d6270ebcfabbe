import assert from 'node:assert/strict'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import { type Entry, type Journal, noJournal } from '../../adapters/memory/journal.ts'
import { MemoryEventStore, type MemoryOptions } from '../../adapters/memory/memory-event-store.ts'
import { type Logger, type NewCommit, silent } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { wholeLog } from '../contract/event-store/invariants.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** 1,000 removed commits, and half of all, are left behind. */
const COMMITS = 3_000

function commitOf(n: number): NewCommit {
  return {
    events: [{ stream: `Thing:${n}`, also: [`group:${n % 7}`], type: 'stored', data: { n, text: 'x'.repeat(500) } }],
    claims: [{ kind: 'once', mark: `mark ${n}` }],
  }
}

describe('a journal most of which is not needed any more', () => {
  const folder = temporaryFolder()
  const size = async (): Promise<number> => (await stat(join(folder.path, 'journal.log'))).size

  async function filled(): Promise<{ readonly store: FileEventStore; readonly positions: number[] }> {
    const store = await FileEventStore.open(folder.path)
    const appended = await Promise.all(Array.from({ length: COMMITS }, (_, n) => store.append(commitOf(n))))
    return { store, positions: appended.map(({ position }) => position) }
  }

  it('is written anew, and holds what is left, tables and claims too', async () => {
    const { store, positions } = await filled()
    await store.consumers.ensure('reader', 10)
    await store.work('jobs').add([{ id: 'job', lane: 'a', dueAt: 1, body: { n: 1 } }])
    await store.index('names').put([{ id: 'one', keys: ['k'], position: 5 }])
    await store.retention.save(0, { at: 1 })
    const before = await size()
    const going = positions.filter((position) => position % 3 !== 0 && position < COMMITS)
    for (let at = 0; at < going.length; at += 500)
      await store.retention.remove({ positions: going.slice(at, at + 500) })
    // What is appended and read meanwhile is in the new one as well.
    const more = Array.from({ length: 300 }, (_, n) => store.append(commitOf(COMMITS + n)))
    await Promise.all(more)
    assert.equal((await store.read('group:3')).length, expected(3))
    await store.compacted()
    assert.equal((await store.read('group:3')).length, expected(3))
    await store.close()
    assert.ok((await size()) < before / 2, `${await size()} of ${before} bytes`)
    assert.deepEqual(
      (await readdir(folder.path)).filter((name) => name.endsWith('.new')),
      [],
    )

    const again = await FileEventStore.open(folder.path)
    const log = await wholeLog(again)
    assert.equal(log.length, COMMITS / 3 + 300)
    assert.equal(await again.retention.floor(), Math.max(...going))
    assert.equal((await again.read('group:3')).length, expected(3))
    assert.equal((await again.consumers.get('reader'))?.position, 10)
    assert.deepEqual((await again.work('jobs').get('job'))?.body, { n: 1 })
    assert.equal((await again.index('names').list({ key: 'k', limit: 9 })).length, 1)
    assert.deepEqual(await again.retention.state(), { revision: 1, state: { at: 1 } })
    // Marks of what is left hold; those of what went are free.
    const left = (log[0]?.events[0]?.data['n'] as number) ?? -1
    await assert.rejects(again.append(commitOf(left)), { code: 'ALREADY_CLAIMED' })
    const gone = (going[0] as number) - 1
    const { position } = await again.append(commitOf(gone))
    assert.equal(position, COMMITS + 301)
    await again.close()
  })

  it('goes on in the former one where the new one cannot be finished', async () => {
    const { store, positions } = await filled()
    await store.retention.remove({ positions: positions.slice(0, 2_500) })
    await store.close() // in the midst of it
    const again = await FileEventStore.open(folder.path)
    assert.equal((await wholeLog(again)).length, 500)
    await again.close()
  })

  function expected(group: number): number {
    return Array.from({ length: COMMITS + 300 }, (_, n) => n).filter(
      (n) => n % 7 === group && ((n + 1) % 3 === 0 || n >= COMMITS),
    ).length
  }

  it('is written anew once or twice for all keys of accounts that are destroyed at the same time', async () => {
    let rewrites = 0
    let destroyed = 0
    const journal: Journal = {
      ...noJournal,
      size: { bytes: 1, commits: 1 },
      async rewrite() {
        rewrites += 1
        const entries: Entry[] = []
        return {
          ...noJournal,
          write: async (more) => void entries.push(...more),
          async flush() {},
          async finish() {
            destroyed = entries.filter(
              (entry) => entry.kind === 'account_key' && entry.record.sealed === undefined,
            ).length
          },
          async abandon() {},
        }
      },
    }
    const store = new RenewedStore({ journal })
    const ids = Array.from({ length: 50 }, (_, n) => `key ${n}`)
    for (const id of ids) await store.accountKeys.obtain([id], { id, sealed: 'x', account: 'y', usedAt: 1 })
    await Promise.all(ids.map((id) => store.accountKeys.destroy([id], 2)))
    assert.equal(destroyed, 50)
    assert.ok(rewrites <= 2, `${rewrites} times`)
    await store.accountKeys.destroy(['key 1'], 3)
    assert.ok(rewrites >= 2)
    await store.close()
  })

  it('that cannot be written anew is told once, with the reason, until it could be', async () => {
    const lines: { readonly event?: string; readonly err?: unknown }[] = []
    const logger: Logger = { ...silent, warn: (fields) => void lines.push(fields) }
    const why = new Error('EMFILE: too many open files')
    let fails = true
    const journal: Journal = {
      ...noJournal,
      size: { bytes: 1, commits: 1 },
      async rewrite() {
        if (fails) throw why
        return { ...noJournal, async flush() {}, async finish() {}, async abandon() {} }
      },
    }
    const store = new RenewedStore({ journal, logger })
    const rewrite = (): Promise<void> => store.accountKeys.destroy(['a key'], 1)
    const told = { component: 'store', event: 'journal_not_rewritten', err: why }
    for (const _ of range(3)) await rejectsWith('STORE_UNAVAILABLE', rewrite)
    assert.deepEqual(lines, [told])
    fails = false
    await rewrite()
    fails = true
    for (const _ of range(3)) await rejectsWith('STORE_UNAVAILABLE', rewrite)
    assert.deepEqual(lines, [told, told])
    await store.close()
  })

  it('that is not written anew since the store closes is not told', async () => {
    const lines: object[] = []
    const store = await FileEventStore.open(folder.path, {
      logger: { ...silent, warn: (fields) => void lines.push(fields) },
    })
    const appended = await Promise.all(range(COMMITS).map((n) => store.append(commitOf(n))))
    await store.retention.remove({ positions: appended.slice(0, 2_500).map(({ position }) => position) })
    await store.close()
    assert.deepEqual(lines, [])
  })
})

/** A store whose journal may be written anew. */
class RenewedStore extends MemoryEventStore {
  constructor(options: MemoryOptions) {
    super(options)
    this.compactFrom([])
  }
}
