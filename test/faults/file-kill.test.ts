import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import type { Appended } from '../../lib/log/commit.ts'
import { present, rejectsWith } from '../contract/event-store/expect.ts'
import { assertHoldsOnce, assertInvariants, wholeLog } from '../contract/event-store/invariants.ts'
import { commitTo, range } from '../contract/event-store/log-under-test.ts'
import { bundledProgram } from '../support/bundled-program.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { StoreProcess } from '../support/store-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import type { Told } from './file-writer.ts'

const FILE_WRITER = await bundledProgram(new URL('file-writer.ts', import.meta.url))

const KILLS = 12

describe('a process with a file event store that is killed with SIGKILL', () => {
  const folder = temporaryFolder()
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)

  it(`loses nothing that it acknowledged, ${KILLS} times in a row (SEED=${seed})`, async () => {
    const random = seededRandom(seed)
    const acknowledged: (Appended & { mark: string })[] = []
    const done: string[] = []
    let checkpoint = 0
    const note = (told: Told): void => {
      if ('mark' in told) acknowledged.push(told)
      else if ('checkpoint' in told) checkpoint = told.checkpoint
      else if ('done' in told) done.push(told.done)
    }
    for (const round of range(KILLS)) {
      const last = 1 + Math.floor(random() * 400)
      const byItself = round % 2 === 0
      const child = new StoreProcess(FILE_WRITER, [folder.path, `${round}`, ...(byItself ? [`${last}`] : [])])
      if (!byItself) {
        for (let left = last; left > 0; left--) note(present(await child.next<Told>()))
        await child.kill()
      }
      for (const told of await child.rest<Told>()) note(told)
      await child.kill()

      const store = await FileEventStore.open(folder.path)
      const commits = await wholeLog(store)
      assertInvariants(commits, { dense: true })
      assert.equal(commits[0]?.position, 1)
      assertHoldsOnce(commits, acknowledged)
      assert.ok(present(await store.consumers.get('planner')).position >= checkpoint)
      for (const id of done) assert.notEqual((await store.work('jobs').get(id))?.doneAt, undefined, `${id} was done`)
      for (const { mark } of acknowledged.slice(-3)) {
        await rejectsWith('ALREADY_CLAIMED', () =>
          store.append({ ...commitTo('again'), claims: [{ kind: 'once', mark }] }),
        )
      }
      await store.close()
    }
    assert.ok(acknowledged.length > KILLS, 'hardly anything was acknowledged: this showed nothing')
  })
})

describe('a folder that another process holds', () => {
  const folder = temporaryFolder()

  it('is refused with FOLDER_HELD until that process is gone, also while it is stopped', async () => {
    const child = new StoreProcess(FILE_WRITER, [folder.path, '0'])
    try {
      let told = present(await child.next<Told>())
      while (!('mark' in told)) told = present(await child.next<Told>())
      const error = await rejectsWith('FOLDER_HELD', () => FileEventStore.open(folder.path))
      assert.ok(error.message.startsWith(folder.path))
      child.signal('SIGSTOP')
      await rejectsWith('FOLDER_HELD', () => FileEventStore.open(folder.path))
      const crowd = await crowdAt(folder.path)
      await rejectsWith('FOLDER_HELD', () => FileEventStore.open(folder.path))
      for (const socket of crowd) socket.destroy()
      child.signal('SIGCONT')
    } finally {
      await child.kill()
    }
    const store = await FileEventStore.open(folder.path)
    assert.ok((await store.end()) > 0)
    await store.close()
  })
})

/** So many that wait to be let in by a stopped process that the system turns away whoever comes next. */
async function crowdAt(folder: string): Promise<Socket[]> {
  const name = present((await readdir(folder)).find((file) => file.endsWith('.sock')))
  const crowd = range(1000).map(() => createConnection(join(folder, name)))
  await Promise.all(crowd.map((socket) => new Promise((settled) => socket.on('connect', settled).on('error', settled))))
  return crowd
}
