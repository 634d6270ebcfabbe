import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Document } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys, type Fault, silent, systemClock } from '../../lib/index.ts'
import { linkSegments, SEGMENT } from '../../lib/verify/segments.ts'
import { type CommandResult, command } from '../support/command.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const MAIN = fileURLToPath(new URL('../../plugins/command-line/main.ts', import.meta.url))
const TYPES = fileURLToPath(new URL('../support/types.mjs', import.meta.url))

/** Does not wait for a writer that may come. */
const PATIENT = { ...systemClock, sleep: async () => {} }

describe('`verify --state` that is killed with SIGKILL', () => {
  const mongo = privateDatabase()
  const folder = temporaryFolder()
  const keys = ephemeralKeys()

  const env = (): Record<string, string> => {
    const address = new URL(mongo.uri)
    address.pathname = `/${mongo.name}`
    return { EVENTSTORE_STORE: address.href, EVENTSTORE_KEYS: JSON.stringify(keys) }
  }
  const cli = (...args: string[]): Promise<CommandResult> =>
    command(['verify', '--json', ...args], { env: env(), clock: PATIENT })
  const without = (result: CommandResult): Record<string, unknown>[] =>
    (result.json as Record<string, unknown>[]).map(({ end: _, ...line }) => line)

  before('a log with something wrong in each segment, and something missing behind them', async () => {
    const store = await MongoEventStore.open(mongo.db, { keys, logger: silent })
    const event = (n: number) => ({ stream: `Thing:${n}`, type: 'stored', data: {} })
    await Promise.all(Array.from({ length: 2 * SEGMENT + 20 }, (_, n) => store.append({ events: [event(n)] })))
    await linkSegments(store, store.segments, await store.end(), new AbortController().signal)
    await store.close()
    const events = mongo.db.collection<Document & { _id: number }>('events')
    await events.updateOne({ _id: 17 }, { $set: { 'e.0.t': 'destroyed' } })
    await events.deleteMany({ _id: { $in: [18, 1_500, 2_010] } })
  })

  it('goes on when it is started again, and tells what one run tells', async () => {
    const whole = await cli()
    assert.equal(whole.code, 1, whole.err)
    assert.deepEqual(
      (whole.json.slice(0, -1) as Fault[]).map(({ code, position }) => [code, position]),
      [
        ['COMMIT_FORGED', 17],
        ['COMMIT_REMOVED', 18],
        ['COMMIT_REMOVED', 1_500],
        ['POSITION_MISSING', 2_010],
      ],
    )
    const state = join(folder.path, 'verify.state')
    // It waits for five seconds for the writer of what is missing, and is killed meanwhile.
    const child = spawn(process.execPath, ['--import', TYPES, MAIN, 'verify', '--json', '--state', state], {
      env: { ...process.env, ...env() },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let told = 0
    for await (const _ of createInterface({ input: child.stdout })) {
      told += 1
      if (told === 3) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    assert.equal(child.signalCode, 'SIGKILL')
    assert.equal(told, 3)

    const interrupted = await command(['verify', '--json', '--state', state], {
      env: env(),
      signal: AbortSignal.abort(),
    })
    assert.equal(interrupted.code, 1)
    const { at } = interrupted.json.at(-1) as { at: number }
    assert.ok(at >= SEGMENT, `it began again: ${at}`)
    const resumed = await cli('--state', state)
    assert.equal(resumed.code, 1, resumed.err)
    assert.deepEqual(without(resumed), without(whole))
    assert.equal(existsSync(state), false)
    assert.deepEqual(without(await cli('--state', state)), without(whole))
  })

  it('cuts off what it had not finished to write', async () => {
    const whole = await cli()
    const state = join(folder.path, 'verify.state')
    const stopped = await command(['verify', '--state', state], { env: env(), signal: AbortSignal.abort() })
    assert.equal(stopped.code, 4)
    assert.match(stopped.out, /started again it goes on/)
    const written = await readFile(state, 'utf8')
    const fault = { code: 'COMMIT_FORGED', position: 17, what: 'is found again' }
    await writeFile(state, `${written}${JSON.stringify({ fault })}\n{"fault":{"code":"COMM`)
    assert.deepEqual(without(await cli('--state', state)), without(whole))
  })

  it('refuses a state of another log, of other options, and what is none', async () => {
    const state = join(folder.path, 'verify.state')
    const run = (...args: string[]): Promise<CommandResult> =>
      command(['verify', '--state', state, '--json', ...args], { env: env(), signal: AbortSignal.abort() })
    assert.equal((await run()).code, 4)
    const deep = await run('--deep')
    assert.equal(deep.code, 2)
    assert.equal((JSON.parse(deep.err) as { error: string }).error, 'RESUME_UNFIT')
    await writeFile(state, (await readFile(state, 'utf8')).replace(/"log":"[^"]*"/, '"log":"another"'))
    const another = await run()
    assert.deepEqual([another.code, another.out], [2, ''])
    assert.match(another.err, /RESUME_UNFIT.*another log/)
    for (const text of ['precious', 'precious\n']) {
      await writeFile(state, text)
      assert.equal((await run()).code, 2)
      assert.equal(await readFile(state, 'utf8'), text)
    }
    assert.equal((await run('--after', '3')).code, 2)
  })
})
