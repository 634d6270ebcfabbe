import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MongoClient } from 'mongodb'
import { type MongoServer, startServer } from '../support/mongo-server.ts'

describe('a MongoDB server of the tests', () => {
  it('keeps what it acknowledged when it is killed, and takes connections on the same port afterwards', async () => {
    const server = await startServer({ durable: true })
    const client = new MongoClient(server.uri)
    try {
      const log = client.db('test').collection<{ _id: number }>('log', { writeConcern: { w: 'majority', j: true } })
      let acknowledged = 0
      for (let round = 0; round < 3; round += 1) {
        for (let i = 0; i < 20; i += 1) {
          await log.insertOne({ _id: acknowledged })
          acknowledged += 1
        }
        const { pid } = server
        await server.kill('SIGKILL')
        assert.equal(isAlive(pid), false)
        await server.restart()
        assert.equal(await log.countDocuments(), acknowledged)
      }
    } finally {
      await client.close()
      await server.stop()
    }
    assert.equal(existsSync(server.storagePath), false)
  })

  it('stands still on SIGSTOP and goes on at SIGCONT', async () => {
    const server = await startServer()
    const client = await MongoClient.connect(server.uri)
    try {
      await server.kill('SIGSTOP')
      let answered = false
      const answer = client
        .db('test')
        .collection('log')
        .insertOne({})
        .then(() => {
          answered = true
        })
      await assert.rejects(MongoClient.connect(server.uri, { serverSelectionTimeoutMS: 200 }))
      assert.equal(answered, false)
      await server.kill('SIGCONT')
      await answer
    } finally {
      await client.close()
      await server.stop()
    }
  })

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL'] as const) {
    it(`is gone after its tests have ended by ${signal}`, async () => {
      const tests = spawnTests()
      const server = await serverOf(tests)
      assert.equal(isAlive(server.pid), true)
      tests.kill(signal)
      await once(tests, 'exit')
      // The guardian works on after its process is gone; nothing but looking tells when it is done.
      while (isAlive(server.pid) || existsSync(server.storagePath)) {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    })
  }
})

/** A process that starts a server, tells of it, and never stops it. */
function spawnTests(): ChildProcess {
  const url = new URL('../support/mongo-server.ts', import.meta.url)
  const program = `
    import { startServer } from '${url}'
    const { pid, storagePath } = await startServer()
    console.log(JSON.stringify({ pid, storagePath }))`
  const types = fileURLToPath(new URL('../support/types.mjs', import.meta.url))
  return spawn(process.execPath, ['--import', types, '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

async function serverOf(tests: ChildProcess): Promise<Pick<MongoServer, 'pid' | 'storagePath'>> {
  assert.ok(tests.stdout)
  const [chunk] = (await once(tests.stdout, 'data')) as [Buffer]
  return JSON.parse(chunk.toString()) as Pick<MongoServer, 'pid' | 'storagePath'>
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // An orphan that ended may wait a long time until somebody takes note, in a container for ever. (Linux)
    return !existsSync('/proc/self/stat') || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
