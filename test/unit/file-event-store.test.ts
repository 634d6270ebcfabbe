import assert from 'node:assert/strict'
import { readdir, readFile, rename, stat, symlink, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileEventStore, type FileOptions } from '../../adapters/file/index.ts'
import { encodeBatch, encodeHeader } from '../../adapters/file/journal-format.ts'
import { generateSecret, type Key, type Keys } from '../../lib/secrets/key-ring.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { commitTo, range } from '../contract/event-store/log-under-test.ts'
import { sealingKeysContract } from '../contract/sealing-keys.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

function key(id: string): Key {
  return { id, secret: generateSecret() }
}

/** Opens, does something, closes. */
async function opened<T>(
  folder: string,
  options: FileOptions,
  act: (store: FileEventStore) => T | Promise<T>,
): Promise<T> {
  const store = await FileEventStore.open(folder, options)
  try {
    return await act(store)
  } finally {
    await store.close()
  }
}

describe('the folder of a file event store', () => {
  const folder = temporaryFolder()

  it('is made, with those above it, and only its owner may look into it', async () => {
    const path = join(folder.path, 'not', 'yet')
    await opened(path, {}, (store) => store.append(commitTo('a')))
    assert.equal((await stat(path)).mode & 0o777, 0o700)
    assert.equal((await stat(join(path, 'journal.log'))).mode & 0o777, 0o600)
  })

  it('holds the journal and the keys, and nothing else once the store is closed', async () => {
    await opened(folder.path, {}, () => {})
    assert.deepEqual((await readdir(folder.path)).sort(), ['journal.log', 'keys.json'])
  })

  it('is nobody’s when it is opened: what the process before held of leases and work is free', async () => {
    const claim = { holder: 'after', now: 1_000, limit: 10, perLane: 10 }
    await opened(folder.path, {}, async (store) => {
      await store.consumers.take(await store.consumers.ensure('planner', 0), 'before')
      await store.work('jobs').add([{ id: 'a job', lane: 'rp', dueAt: 0, body: {} }])
      assert.equal((await store.work('jobs').claim({ ...claim, holder: 'before' })).length, 1)
    })
    await opened(folder.path, {}, async (store) => {
      assert.equal((await store.consumers.get('planner'))?.holder, undefined)
      assert.equal((await store.work('jobs').get('a job'))?.holder, undefined)
      assert.equal((await store.work('jobs').claim(claim)).length, 1)
    })
  })

  it('may have a path longer than a socket can have', async () => {
    const path = join(folder.path, 'long'.repeat(40))
    const store = await FileEventStore.open(path)
    await rejectsWith('FOLDER_HELD', () => FileEventStore.open(path))
    await store.close()
    await opened(path, {}, () => {})
    assert.deepEqual((await readdir(path)).sort(), ['journal.log', 'keys.json'])
  })

  it('is refused with STORE_REFUSED where a file is in its place', async () => {
    const path = join(folder.path, 'file')
    await writeFile(path, '')
    const error = await rejectsWith('STORE_REFUSED', () => FileEventStore.open(path))
    assert.ok(error.message.startsWith(`${path} cannot be used (`), error.message)
    await rejectsWith('STORE_REFUSED', () => FileEventStore.open(join(path, 'below')))
  })

  it('is refused with STORE_REFUSED where nothing can be made', async function () {
    if (process.platform !== 'linux') this.skip()
    await rejectsWith('STORE_REFUSED', () => FileEventStore.open('/proc/self/nowhere'))
  })

  it('is refused with STORE_REFUSED where its journal is a symbolic link, which a journal that is written anew would replace', async () => {
    const [home, elsewhere] = [join(folder.path, 'home'), join(folder.path, 'elsewhere.log')]
    await opened(home, {}, (store) => store.append(commitTo('a')))
    await rename(join(home, 'journal.log'), elsewhere)
    await symlink(elsewhere, join(home, 'journal.log'))
    const error = await rejectsWith('STORE_REFUSED', () => FileEventStore.open(home))
    assert.match(error.message, /journal\.log is a symbolic link/)
    assert.deepEqual((await readdir(home)).sort(), ['journal.log', 'keys.json'])
    await rename(elsewhere, join(home, 'journal.log'))
    await opened(home, {}, async (store) => assert.equal((await store.read('a')).length, 1))
  })

  it('may be a symbolic link itself', async () => {
    const [home, link] = [join(folder.path, 'home'), join(folder.path, 'link')]
    await opened(home, {}, (store) => store.append(commitTo('a')))
    await symlink(home, link)
    await opened(link, {}, async (store) => assert.equal((await store.read('a')).length, 1))
  })

  it('may hold what a crash at first opening left', async () => {
    for (const name of ['journal.log.new', 'keys.json.new'])
      await writeFile(join(folder.path, name), 'half', { mode: 0o666 })
    await opened(folder.path, {}, (store) => store.append(commitTo('a')))
    assert.equal((await stat(join(folder.path, 'keys.json'))).mode & 0o777, 0o600)
    await opened(folder.path, {}, async (store) => assert.equal((await store.read('a')).length, 1))
  })
})

describe('an option of a file event store', () => {
  const folder = temporaryFolder()

  for (const [option, options] of [
    ['journal', { journal: {} }],
    ['logger', { logger: {} }],
    ['clock', { clock: 7 }],
    ['options', null],
  ] as const) {
    it(`is refused when it is ${JSON.stringify(options)}, before anything is made`, async () => {
      const path = join(folder.path, 'never')
      const error = await rejectsWith('OPTION_INVALID', () =>
        FileEventStore.open(path, options as unknown as FileOptions),
      )
      assert.ok(error.message.startsWith(`option \`${option}\` `), error.message)
      assert.deepEqual(await readdir(folder.path), [])
    })
  }

  it('folder must be a path', async () => {
    for (const path of ['', undefined, 7])
      await rejectsWith('OPTION_INVALID', () => FileEventStore.open(path as string))
  })

  it('keys must be usable', async () => {
    const keys: Keys = { sealing: [{ id: 'short', secret: 'abc' }], hashing: [key('h')] }
    await rejectsWith('KEYS_INVALID', () => FileEventStore.open(join(folder.path, 'never'), { keys }))
    assert.deepEqual(await readdir(folder.path), [])
  })
})

describe('the keys of a file event store', () => {
  const folder = temporaryFolder()

  it('are made at first use, for the eyes of their owner, and used again', async () => {
    const sealed = await opened(folder.path, {}, ({ keys }) => ({
      text: keys.seal('hello', 's'),
      name: keys.streams('uid', 'x')[0],
    }))
    const path = join(folder.path, 'keys.json')
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    const contents = await readFile(path, 'utf8')
    await opened(folder.path, {}, ({ keys }) => {
      assert.equal(keys.open(sealed.text, 's'), 'hello')
      assert.equal(keys.streams('uid', 'x')[0], sealed.name)
    })
    assert.equal(await readFile(path, 'utf8'), contents)
  })

  it('are other ones in every folder', async () => {
    const names = await Promise.all(
      ['one', 'two'].map((name) => opened(join(folder.path, name), {}, ({ keys }) => keys.streams('uid', 'x')[0])),
    )
    assert.notEqual(names[0], names[1])
  })

  it('that were lost are not replaced: nothing stored would be found', async () => {
    await opened(folder.path, {}, (store) => store.append(commitTo('a')))
    await unlink(join(folder.path, 'keys.json'))
    const error = await rejectsWith('KEY_UNKNOWN', () => FileEventStore.open(folder.path))
    assert.match(error.message, /keys\.json is not/)
    assert.deepEqual(await readdir(folder.path), ['journal.log'])
  })

  it('that are handed in are not written down, and must be handed in again', async () => {
    const keys: Keys = { sealing: [key('s')], hashing: [key('h')] }
    await opened(folder.path, { keys }, (store) => store.append(commitTo('a')))
    assert.deepEqual(await readdir(folder.path), ['journal.log'])
    await rejectsWith('KEY_UNKNOWN', () => FileEventStore.open(folder.path))
    await opened(folder.path, { keys }, async (store) => assert.equal((await store.read('a')).length, 1))
  })

  it('must be those that it was written with', async () => {
    await opened(folder.path, { keys: { sealing: [key('s')], hashing: [key('h')] } }, () => {})
    const before = await readFile(join(folder.path, 'journal.log'))
    const error = await rejectsWith('KEY_UNKNOWN', () =>
      FileEventStore.open(folder.path, { keys: { sealing: [key('s')], hashing: [key('h')] } }),
    )
    assert.match(error.message, /hashing key "h" is not the one/)
    assert.deepEqual(await readFile(join(folder.path, 'journal.log')), before)
  })

  it('may be rotated: the new one second, then first, then alone', async () => {
    const [sealing, one, two] = [[key('s')], key('one'), key('two')]
    for (const hashing of [[one], [one, two], [two, one], [two]])
      await opened(folder.path, { keys: { sealing, hashing } }, () => {})
    await rejectsWith('KEY_UNKNOWN', () => FileEventStore.open(folder.path, { keys: { sealing, hashing: [one] } }))
  })

  const hashing = [key('h')]
  sealingKeysContract((sealing, retired) =>
    opened(folder.path, { keys: { sealing, hashing, ...(retired && { retired }) } }, () => {}),
  )

  it('are refused with KEYS_INVALID when their file is damaged, without telling what is in it', async () => {
    await writeFile(join(folder.path, 'keys.json'), '{"sealing": [{"id": "k", "secret": "hush')
    const error = await rejectsWith('KEYS_INVALID', () => FileEventStore.open(folder.path))
    assert.match(error.message, /keys\.json is not JSON/)
    assert.doesNotMatch(`${error.stack}${error.cause}`, /hush/)
    await writeFile(join(folder.path, 'keys.json'), 'null')
    await rejectsWith('KEYS_INVALID', () => FileEventStore.open(folder.path))
  })
})

describe('opening a file event store after a crash', () => {
  const folder = temporaryFolder()
  const journal = (): string => join(folder.path, 'journal.log')

  it('cuts a torn tail off, says so, and goes on', async () => {
    const text = 'longer than what is written in its place'.repeat(100)
    await opened(folder.path, {}, async (store) => {
      for (const n of range(3)) await store.append(commitTo('a', { data: { n, text } }))
    })
    const lines = (await readFile(journal(), 'utf8')).split('\n')
    const last = Buffer.byteLength(lines.slice(0, -3).join('\n')) + 1 // behind it: batch line, commit
    const size = last + 100
    await truncate(journal(), size)
    const warnings: object[] = []
    const logger = { debug() {}, info() {}, warn: (fields: object) => warnings.push(fields), error() {} }
    await opened(folder.path, { logger }, async (store) => {
      assert.equal((await stat(journal())).size, last)
      assert.equal(await store.end(), 2)
      assert.equal((await store.append(commitTo('a'))).position, 3)
    })
    assert.deepEqual(warnings, [
      { component: 'store', event: 'journal_tail_cut', file: journal(), offset: last, bytes: 100 },
    ])
    await opened(folder.path, { logger }, async (store) => assert.equal(await store.end(), 3))
    assert.equal(warnings.length, 1)
  })

  it('refuses a damaged journal with JOURNAL_CORRUPT, changes nothing and lets go of the folder', async () => {
    await opened(folder.path, {}, async (store) => {
      for (const n of range(3)) await store.append(commitTo('a', { data: { n } }))
    })
    const damaged = await readFile(journal())
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 300) ^ 1, damaged.length - 300)
    const torn = Buffer.concat([damaged, Buffer.from('0123abcd {"kin')])
    await writeFile(journal(), torn)
    for (const _ of range(2)) {
      const error = await rejectsWith('JOURNAL_CORRUPT', () => FileEventStore.open(folder.path))
      assert.match(error.message, /journal\.log: line \d+, at byte \d+, does not match its checksum/)
    }
    assert.deepEqual(await readFile(journal()), torn)
    assert.deepEqual((await readdir(folder.path)).sort(), ['journal.log', 'keys.json'])
  })

  it('refuses a journal with a commit of a newer schema with SCHEMA_NEWER and changes nothing', async () => {
    await opened(folder.path, {}, () => {})
    const { line, end } = encodeHeader('a-journal')
    const commit = { position: 1, id: 'c', events: [], meta: {}, at: 1, claims: [], v: 2 }
    const newer = Buffer.concat([line, ...encodeBatch([{ kind: 'commit', commit }], end).lines])
    await writeFile(journal(), newer)
    await rejectsWith('SCHEMA_NEWER', () => FileEventStore.open(folder.path))
    assert.deepEqual(await readFile(journal()), newer)
  })

  it('refuses a journal of a newer schema with SCHEMA_NEWER and changes nothing', async () => {
    await opened(folder.path, {}, () => {})
    const newer = Buffer.concat([encodeHeader('a-journal', 2).line, Buffer.from('whatever comes in version 2')])
    await writeFile(journal(), newer)
    await rejectsWith('SCHEMA_NEWER', () => FileEventStore.open(folder.path))
    assert.deepEqual(await readFile(journal()), newer)
  })
})
