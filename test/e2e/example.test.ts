import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, symlink, unlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { ExamplePerson as Person } from '../support/example-person.ts'
import { type ExamplePlaces, ExampleProcess, examplePlaces, startArguments } from '../support/example-process.ts'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { UserAgent } from '../support/user-agent.ts'

/** A delivery that fails is tried again after seconds, and a killed process's lease has to run out first. */
const PATIENCE_MS = 300_000

describe('the example', function () {
  this.timeout(PATIENCE_MS)
  const folder = temporaryFolder()
  const running = new Set<ExampleProcess>()
  let places: ExamplePlaces

  beforeEach(async () => {
    places = await examplePlaces(folder.path)
  })

  afterEach(async () => {
    for (const example of running) await example.end('SIGKILL')
    running.clear()
  })

  const start = async (environment: Record<string, string> = {}, args?: string[]): Promise<ExampleProcess> => {
    const example = await ExampleProcess.start({ ...places.environment, ...environment }, args)
    running.add(example)
    return example
  }

  /** One line, and no more; and no success. */
  const failsToStart = async (environment: Record<string, string>, line: RegExp): Promise<void> => {
    const example = new ExampleProcess({ ...places.environment, ...environment })
    running.add(example)
    assert.equal(await example.ended, 1)
    assert.match(example.errors, /^[^\n]+\n$/)
    assert.match(example.errors.trimEnd(), line)
  }

  it('logs in at two RPs with one login, and out of both at one', async () => {
    const example = await start({}, startArguments())
    const person = new Person()
    await person.logIn(places.one, 'alice')
    await person.logIn(places.two)
    await person.logOut(places.one)
    await person.sees(places.two, /you were logged out by the OP at/)
    await person.sees(places.one, /you logged out here at/)
    await person.sees(places.op, /Everybody was told within/)
    await example.says(/rp-one confirmed the logout/)
    await example.says(/rp-two confirmed the logout/)
    assert.equal(await example.end(), 0)
    assert.equal(example.errors, '')
  })

  it('logs out of one RP alone where that is wanted', async () => {
    await start()
    const person = new Person()
    await person.logIn(places.one, 'bob')
    await person.logIn(places.two)
    await person.logOut(places.one, 'here')
    await person.sees(places.op, /this login only[\s\S]*Everybody was told within/)
    assert.match(await person.page(places.two), /Hello, Bob Brown/)
  })

  it('announces the end of a session to the page that shows it', async () => {
    await start()
    const person = new Person()
    await person.logIn(places.one, 'alice')
    await person.logIn(places.two)
    const { changed } = await person.follow(`${places.two}/live`, 'rp-two.session')
    await person.logOut(places.one)
    await changed
  })

  it('goes on telling RP two after the OP was killed, from the state in the folder', async () => {
    const rps = await start({ START: 'rp-one,rp-two', RP_TWO: 'down' })
    const op = await start({ START: 'op' })
    const person = new Person()
    await person.logIn(places.one, 'alice')
    await person.logIn(places.two)
    await person.logOut(places.one)
    await op.says(/rp-two was not told of a logout; it will be tried again/)
    // Otherwise both RPs may still have to be told when the OP dies.
    await op.says(/rp-one confirmed the logout/)
    await person.sees(places.op, /pending/)
    await op.end('SIGKILL')
    assert.match(await person.page(places.two), /Hello, Alice Adams/)

    const restarted = await start({ START: 'op' })
    await restarted.says(/logouts of before are still to be told to rp-two/)
    await person.submit(await person.get(places.two), '/outage')
    await person.sees(places.two, /you were logged out by the OP at/)
    await restarted.says(/rp-two confirmed the logout/)
    await rps.says(/logged out by the OP/)
    await person.sees(places.op, /Everybody was told within/)
  })

  it('knows who is logged in after a restart', async () => {
    const op = await start({ START: 'op' })
    await start({ START: 'rp-one,rp-two' })
    const person = new Person()
    await person.logIn(places.one, 'alice')
    assert.equal(await op.end('SIGINT'), 0)
    assert.match(op.output, /Stopping: what is being answered or sent is finished first/)
    await start({ START: 'op' })
    await person.logIn(places.two) // without being asked for a name
    await person.logOut(places.two)
    await person.sees(places.one, /you were logged out by the OP at/)
  })

  it('takes an empty variable for one that is not set', async () => {
    const names = [
      'START',
      'RP_ONE',
      'RP_TWO',
      'MONGODB_URI',
      'MONGODB_DATABASE',
      'OP_KEYS',
      'RETRY_DELAYS',
      'LOG_LEVEL',
    ]
    const example = await start(Object.fromEntries(names.map((name) => [name, ''])))
    for (const place of [places.op, places.one, places.two]) assert.ok(example.output.includes(place))
  })

  it('lets either RP play dead from the start', async () => {
    for (const [id, variable] of [
      ['rp-one', 'RP_ONE'],
      ['rp-two', 'RP_TWO'],
    ] as const) {
      const rp = await start({ START: 'rp-one,rp-two', [variable]: 'down' })
      await rp.says(new RegExp(`${id}: plays dead`))
      await rp.end()
      assert.equal(rp.output.match(/plays dead/g)?.length, 1)
    }
  })

  it('says to a probe whether it is well, and no more', async () => {
    await start()
    const answer = await fetch(new URL('/health', places.op))
    assert.deepEqual([answer.status, await answer.json()], [200, { isWell: true }])
  })

  it('takes a cancelled login for what it is', async () => {
    await start()
    const person = new Person()
    const asked = await person.get(`${places.one}/login`)
    const answer = await person.submit(asked, '/cancel')
    assert.equal(answer.status, 403)
    assert.match(answer.text, /The login was cancelled/)
    assert.match(await person.page(places.one), /Nobody is logged in/)
  })

  it('says so where an RP cannot reach the OP', async () => {
    await start({ START: 'rp-one' })
    const answer = await new UserAgent().get(`${places.one}/login`)
    assert.equal(answer.status, 502)
    assert.match(answer.text, /The OP at .* does not answer/)
  })

  describe('on MongoDB', () => {
    const mongo = privateDatabase()

    it('does the same', async () => {
      const database = { MONGODB_URI: mongo.uri, MONGODB_DATABASE: mongo.name }
      const example = await start(database)
      await example.says(/the log is in MongoDB, database .*, its keys: .*mongodb-keys\.json/)
      const person = new Person()
      await person.logIn(places.one, 'alice')
      await person.logIn(places.two)
      await person.logOut(places.one)
      await person.sees(places.two, /you were logged out by the OP at/)
      await person.sees(places.op, /Everybody was told within/)
      assert.equal(await example.end(), 0)

      await failsToStart({ ...database, OP_KEYS: someKeys() }, /^none of keys\.hashing .* \(KEY_UNKNOWN\)$/)
    })
  })

  describe('that cannot start', () => {
    const squatters = new Set<Server>()

    afterEach(async () => {
      for (const squatter of squatters) await new Promise((resolve) => squatter.close(resolve))
      squatters.clear()
    })

    const squat = async (portVariable: string): Promise<() => Promise<unknown>> => {
      const squatter = createServer().listen(Number(places.environment[portVariable]), '127.0.0.1')
      squatters.add(squatter)
      await once(squatter, 'listening')
      return () => new Promise((resolve) => squatter.close(resolve))
    }

    it('names the port that is taken, and the variable that helps', async () => {
      await squat('RP_TWO_PORT')
      await failsToStart({}, /^port \d+ \(RP two\) is taken: .*RP_TWO_PORT$/)
    })

    it('gives the folder back when the port of the OP is taken', async () => {
      const leave = await squat('OP_PORT')
      await failsToStart({}, /^port \d+ \(The OP\) is taken: .*OP_PORT$/)
      await leave()
      const example = await start()
      assert.equal(await example.end(), 0)
    })

    it('says that another process holds the folder', async () => {
      await start({ START: 'op' })
      const other = await examplePlaces(folder.path)
      await failsToStart({ ...other.environment }, /is in use, by another process or by this one: .* \(FOLDER_HELD\)$/)
    })

    it('says within seconds that MongoDB cannot be reached', async () => {
      const port = await portOutsideEphemeralRange()
      const began = performance.now()
      await failsToStart(
        { MONGODB_URI: `mongodb://127.0.0.1:${port}` },
        /^MongoDB cannot be reached .* \(STORE_UNAVAILABLE\)$/,
      )
      assert.ok(performance.now() - began < 30_000)
    })

    it('says that a URI is none', () => failsToStart({ MONGODB_URI: 'nonsense' }, /^MONGODB_URI cannot be used: /))

    it('says what is wrong with keys', async () => {
      await failsToStart({ OP_KEYS: 'nonsense' }, /^OP_KEYS is not JSON: /)
      await failsToStart({ OP_KEYS: '{}' }, /^`keys\.sealing` needs at least one key\..* \(KEYS_INVALID\)$/)
      await failsToStart({ OP_KEYS: someKeys('short') }, /has 3 bytes, 32 are needed\..* \(KEYS_INVALID\)$/)
    })

    it('says that keys are missing, or are not those of the log', async () => {
      const first = await start({ START: 'op', OP_KEYS: someKeys() })
      assert.equal(await first.end(), 0)
      await failsToStart({ START: 'op' }, /journal\.log is there, .*keys\.json is not: .* \(KEY_UNKNOWN\)$/)
      await failsToStart(
        { START: 'op', OP_KEYS: someKeys() },
        /^the hashing key "one" is not the one .* \(KEY_UNKNOWN\)$/,
      )
    })

    it('says that it cannot write to its folder', async () => {
      const link = `${folder.path}-link`
      await symlink(`${folder.path}-that-is-not-there`, link)
      try {
        await failsToStart({ STATE_FOLDER: link }, /-link cannot be written to \(.*\): choose .* STATE_FOLDER$/)
      } finally {
        await unlink(link)
      }
    })

    it('says which file is damaged', async () => {
      await mkdir(folder.path, { recursive: true })
      await writeFile(join(folder.path, 'rp-one.json'), '{')
      await failsToStart({}, /rp-one\.json is not JSON: /)
    })

    it('says which variable has a value that it cannot have', () =>
      failsToStart({ OP_PORT: 'many' }, /^OP_PORT is "many": it must be a port/))
  })
})

/** Keys as JSON, others each time. */
function someKeys(secret?: string): string {
  const key = {
    id: 'one',
    secret: secret ?? Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url'),
  }
  return JSON.stringify({ sealing: [key], hashing: [key] })
}
