import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import { systemClock } from '../../lib/index.ts'
import { type BackChannelLogout, backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { type CommandResult, command } from '../support/command.ts'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { until } from '../support/log-follower.ts'
import { Client, type Op, Person, startOp } from '../support/op.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** An OP on an embedded store, which a command can open while the OP has stopped. */
describe('the command line', () => {
  const folder = temporaryFolder()
  let rp: RelyingParty
  let other: RelyingParty
  let port = 0

  beforeEach(async () => {
    port = await portOutsideEphemeralRange()
    rp = await startRp('rp')
    other = await startRp('other')
  })
  afterEach(() => Promise.all([rp.stop(), other.stop()]))

  /** Something that an OP does while it runs. */
  async function whileRunning<T>(work: (op: Op, logout: BackChannelLogout) => Promise<T>): Promise<T> {
    const store = await FileEventStore.open(folder.path)
    const logout = backChannelLogout({ development: true, allowInternal: ['rp', 'other'] })
    const op = await startOp(store, {
      plugins: [logout],
      clients: [rp.metadata, other.metadata],
      port,
      issuer: `http://127.0.0.1:${port}`,
    })
    try {
      return await work(op, logout)
    } finally {
      await op.stop()
      await store.close()
    }
  }

  const issuer = (): string => `http://127.0.0.1:${port}`
  const cli = (...args: string[]): Promise<CommandResult> =>
    command(args, { env: { EVENTSTORE_STORE: folder.path, EVENTSTORE_ISSUER: issuer() } })

  async function loggedIn(op: Op, login: string): Promise<{ readonly access: string; readonly uid: string }> {
    const person = new Person(op)
    const code = (await person.authorize('rp', { login })).get('code') ?? ''
    await person.authorize('other')
    const { body } = await new Client(op, rp.metadata).exchange(code)
    const access = String(body['access_token'])
    return { access, uid: String((await op.provider.AccessToken.find(access))?.sessionUid) }
  }

  it('lists sessions and ends them: the OP carries it out and tells the RPs', async () => {
    const { uid } = await whileRunning((op) => loggedIn(op, 'alice'))
    const listed = await cli('sessions', 'list', '--account', 'alice', '--json')
    assert.equal(listed.code, 0, listed.err)
    const [session] = listed.json as [{ uid: string; logins: { clientId: string }[] }]
    assert.equal(session.uid, uid)
    assert.deepEqual(session.logins.map(({ clientId }) => clientId).sort(), ['other', 'rp'])
    assert.match((await cli('sessions', 'list', '--account', 'bob')).err, /no live session/)

    for (const [whose, sessions] of [
      [['--account', 'alice'], 1],
      [['--client', 'rp'], 1],
      [['--all'], 1],
      [['--account', 'bob'], 0],
    ] as const) {
      const dry = await cli('sessions', 'end', ...whose, '--actor', 'anna', '--dry-run', '--json')
      assert.equal(dry.code, 0, dry.err)
      assert.equal((dry.json[0] as { sessions: number }).sessions, sessions)
    }
    const unasked = await cli('sessions', 'end', '--account', 'alice', '--actor', 'anna')
    assert.equal(unasked.code, 4)
    assert.match(unasked.err, /--yes/)
    const ordered = await cli('sessions', 'end', '--account', 'alice', '--actor', 'anna', '--yes', '--json')
    assert.equal(ordered.code, 0, ordered.err)
    assert.equal((ordered.json[0] as { state: string }).state, 'ordered')

    await whileRunning(async () => {
      await Promise.all([rp.received(1), other.received(1)])
    })
    assert.equal((await cli('sessions', 'list', '--account', 'alice', '--json')).json.length, 0)
    const shown = await cli('logouts', 'show', uid)
    assert.equal(shown.code, 0, shown.err)
    assert.match(shown.out, /the session ended: admin, by anna/)
    const history = await cli('logouts', 'list', '--account', 'alice', '--json')
    assert.equal((history.json[0] as { sessionUid: string }).sessionUid, uid)
  })

  it('orders nothing where it cannot wait for it', async () => {
    await whileRunning((op) => loggedIn(op, 'alice'))
    const before = (await cli('status', '--json')).json[0] as { end: number }
    const refused = await cli('sessions', 'end', '--account', 'alice', '--actor', 'anna', '--yes', '--wait')
    assert.equal(refused.code, 2)
    assert.match(refused.err, /--wait/)
    assert.equal(((await cli('status', '--json')).json[0] as { end: number }).end, before.end)
  })

  it('forgets nobody in a folder where no OP runs that could tell the RPs, unless that is asked for', async () => {
    await whileRunning((op) => loggedIn(op, 'alice'))
    const refused = await cli('forget', 'alice', '--actor', 'anna', '--yes')
    assert.equal(refused.code, 2)
    assert.match(refused.err, /--no-logout/)
    const dry = await cli('forget', 'alice', '--actor', 'anna', '--dry-run', '--json')
    assert.deepEqual(dry.json, [{ dryRun: true, ends: 3, keys: 1 }], dry.err)
    const would = async (account: string, ...more: string[]): Promise<string> =>
      (await cli('forget', account, '--actor', 'anna', '--dry-run', ...more)).out.trimEnd()
    assert.equal(await would('alice'), '3 sessions and grants would end; 1 key of it would be destroyed')
    assert.equal(await would('alice', '--no-logout'), '1 key of it would be destroyed')
    assert.deepEqual(JSON.parse(await would('alice', '--no-logout', '--json')), { dryRun: true, ends: 0, keys: 1 })
    assert.equal(await would('nobody'), '0 sessions and grants would end; 0 keys of it would be destroyed')
    const done = await cli('forget', 'alice', '--actor', 'anna', '--no-logout', '--settle', '0', '--yes', '--json')
    assert.equal(done.code, 0, done.err)
    assert.equal((done.json[0] as { keys: number }).keys, 1)
    assert.equal(await would('alice', '--no-logout'), '0 keys of it would be destroyed')
    const { verdict } = await whileRunning((op) => op.eventSourced.explain('alice'))
    assert.equal(verdict, 'never_stored')
    assert.equal((await cli('verify', '--deep')).code, 0)
  })

  it('says that an account is to be forgotten again where that was interrupted, and ends with 4', async () => {
    await whileRunning((op) => loggedIn(op, 'alice'))
    const env = { EVENTSTORE_STORE: folder.path, EVENTSTORE_ISSUER: issuer() }
    const forget = ['forget', 'alice', '--actor', 'anna', '--no-logout', '--yes']
    const before = await command(forget, { env, signal: AbortSignal.abort() })
    assert.deepEqual([before.code, before.out, before.err], [4, '', 'interrupted: run it again\n'])
    const counted = await command([...forget.slice(0, 4), '--dry-run', '--json'], { env, signal: AbortSignal.abort() })
    assert.equal(counted.code, 4)
    assert.deepEqual(JSON.parse(counted.err), { error: 'REFUSED', message: 'interrupted: run it again' })

    const stopping = new AbortController()
    const clock = { ...systemClock, sleep: async () => stopping.abort() }
    const settling = await command(forget, { env, clock, signal: stopping.signal })
    assert.equal(settling.code, 4, settling.err)
    assert.match(settling.out, /^1 key of it is destroyed/)
    assert.match(settling.err, /interrupted before requests that were under way had ended: forget it again/)
    assert.equal((await command(forget, { env, clock })).code, 0)
  })

  it('tells what is owed to an RP that is down, and what became a dead letter; has it sent again', async () => {
    rp.behave((_token, response) => void response.writeHead(503).end())
    const { uid } = await whileRunning(async (op, logout) => {
      const session = await loggedIn(op, 'alice')
      await logout.terminateSession(session.uid, { actor: 'anna' })
      await Promise.all([rp.received(1), other.received(1)])
      return session
    })
    const pending = await cli('logouts', 'pending', '--json')
    const [{ oldestEndedAt, ...count }] = pending.json as [{ readonly oldestEndedAt: number }]
    assert.deepEqual(count, { clientId: 'rp', pending: 1 })
    const ended = new Date(oldestEndedAt).toISOString().slice(0, 19).replace('T', ' ')
    assert.match((await cli('logouts', 'pending')).out, new RegExp(`^rp  1  the oldest since ${ended} UTC`))
    assert.match((await cli('logouts', 'pending', '--client', 'rp')).out, new RegExp(uid))
    assert.deepEqual((await cli('logouts', 'retry', '--client', 'rp', '--json')).json, [{ hastened: 1 }])

    rp.behave((_token, response) => void response.writeHead(410).end())
    await whileRunning(async (_op, logout) => {
      for (;;) {
        const { ends } = await logout.receipt(uid)
        if (ends[0]?.relyingParties.every(({ state }) => state !== 'pending')) return
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    assert.equal((await cli('logouts', 'show', uid)).code, 1)
    const dead = await cli('logouts', 'dead', '--json')
    assert.equal((dead.json[0] as { clientId: string }).clientId, 'rp')
    const dry = await cli('logouts', 'replay', '--client', 'rp', '--actor', 'anna', '--dry-run', '--json')
    assert.deepEqual(dry.json, [{ replayed: 1, dryRun: true }])
    const replayed = await cli('logouts', 'replay', '--client', 'rp', '--actor', 'anna', '--yes', '--json')
    assert.deepEqual(replayed.json, [{ replayed: 1, dryRun: false }])
    rp.behave((_token, response) => void response.writeHead(200).end())
    const before = rp.tokens.length
    await whileRunning(() => rp.received(before + 1))
  })

  it('explains a token that it never prints, read from standard input', async () => {
    const { access } = await whileRunning((op) => loggedIn(op, 'alice'))
    const env = { EVENTSTORE_STORE: folder.path }
    const found = await command(['explain'], { env, input: `${access}\n` })
    assert.equal(found.code, 0, found.err)
    assert.match(found.out, /AccessToken: valid/)
    assert.doesNotMatch(found.out + found.err, new RegExp(access))
    const unknown = await command(['explain', '--json'], { env, input: 'nothing' })
    assert.equal(unknown.code, 1)
    assert.equal((unknown.json[0] as { verdict: string }).verdict, 'never_stored')
    assert.equal((await command(['explain'], { env, input: '' })).code, 2)
  })

  it('switches features', async () => {
    await whileRunning(async () => {})
    assert.match((await cli('features')).out, /back_channel_logout {2}as the OP is configured/)
    const off = await cli('features', 'off', 'back_channel_logout', '--actor', 'anna')
    assert.match(off.out, /off {2}\(instance, by anna/, off.err)
    await whileRunning(async (op) => {
      const [state] = await op.eventSourced.features.list()
      assert.equal(state?.enabled, false)
    })
    assert.match((await cli('features', 'reset', 'back_channel_logout', '--actor', 'anna')).out, /as the OP/)
    assert.equal((await cli('features', 'off', 'nonsense', '--actor', 'anna')).code, 2)
    assert.equal((await cli('features', 'off', 'back_channel_logout')).code, 2)
  })

  it('tells how the log stands, what needs an operator, and that nothing is wrong with it', async () => {
    await whileRunning(async (op, logout) => {
      await loggedIn(op, 'alice')
      await until(async () => (await logout.health()).planner?.behind === 0)
    })
    const status = await cli('status', '--json')
    assert.equal(status.code, 0, status.err)
    const { end, consumers } = status.json[0] as { end: number; consumers: { behind: number }[] }
    assert.ok(end > 5)
    assert.deepEqual(
      consumers.map(({ behind }) => behind),
      [0],
    )
    assert.match((await cli('status')).out, /ends at #\d+/)
    assert.match((await cli('checkpoints')).out, /notifications_back_channel_logout {2}#\d+ {2}at the end/)
    const doctor = await cli('doctor', '--json')
    assert.equal(doctor.code, 0, doctor.err)
    const verified = await cli('verify', '--deep', '--json')
    assert.equal(verified.code, 0, verified.out)
    assert.equal((verified.json.at(-1) as { commits: number }).commits, end)
    const retained = await cli('retention', '--dry-run', '--json')
    assert.equal(retained.code, 0, retained.err)
    assert.equal((retained.json[0] as { commits: number }).commits, 0)
    const unnamed = await command(['doctor'], { env: { EVENTSTORE_STORE: folder.path } })
    assert.equal(unnamed.code, 0, unnamed.err)
    assert.match(unnamed.err, /Logouts were not looked at: --issuer/)
    assert.doesNotMatch((await cli('doctor')).err, /not looked at/)
    assert.equal((await cli('retention')).code, 4)
    const stopping = AbortSignal.abort()
    assert.equal(
      (await command(['retention', '--yes'], { env: { EVENTSTORE_STORE: folder.path }, signal: stopping })).code,
      4,
    )
    assert.equal((await cli('retention', '--yes')).code, 0)
  })

  it('anchors the log, and finds by it that the folder was put back', async () => {
    await whileRunning((op) => loggedIn(op, 'alice'))
    const file = join(folder.path, 'anchors')
    const printed = await cli('anchor')
    assert.equal(printed.code, 0, printed.err)
    await writeFile(file, printed.out.trimEnd()) // whoever wrote it was killed before the end of the line
    const key = join(folder.path, 'key.pem')
    const { privateKey } = generateKeyPairSync('ed25519')
    await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const copy = join(folder.path, 'copy')
    await mkdir(copy)
    for (const name of ['journal.log', 'keys.json']) await cp(join(folder.path, name), join(copy, name))
    await whileRunning((op) => loggedIn(op, 'bob'))
    const added = await cli('anchor', '--out', file, '--anchor-key', key, '--json')
    assert.equal(added.code, 0, added.err)
    const { log, last } = added.json[0] as { log: string; last: { position: number } }
    assert.equal((await readFile(file, 'utf8')).trimEnd().split('\n').length, 2)

    const verified = await cli('verify', '--anchor', file, '--anchor-key', key, '--json')
    assert.deepEqual([verified.code, (verified.json[0] as { anchors: number }).anchors], [0, 2], verified.out)
    const unknown = await cli('verify', '--anchor', file, '--json')
    assert.equal(unknown.code, 2)
    assert.match(unknown.err, /ANCHOR_INVALID.*line 2/)
    const put = ['verify', '--anchor', file, '--anchor-key', key, '--store', copy, '--json']
    const found = await cli(...put)
    assert.equal(found.code, 1, found.err)
    const [fault] = found.json as [{ code: string; position: number }]
    assert.deepEqual([fault.code, fault.position], ['ANCHOR_AHEAD', last.position])
    assert.equal((JSON.parse((await cli('anchor', '--store', copy, '--json')).out) as { log: string }).log, log)

    await writeFile(file, '\n')
    assert.match((await cli('verify', '--anchor', file)).err, /holds no anchor/)
    assert.equal((await cli('verify', '--anchor', join(folder.path, 'nowhere'))).code, 2)
    assert.equal((await cli('anchor', '--out', join(folder.path, 'nowhere', 'anchors'))).code, 2)
  })

  describe('without a store', () => {
    it('makes keys, which a store takes', async () => {
      const made = await command(['keys', 'generate', '--id', 'k1'])
      assert.equal(made.code, 0)
      assert.match(made.err, /secrets/)
      const file = join(folder.path, 'keys.json.txt')
      await writeFile(file, made.out)
      const place = join(folder.path, 'new')
      await (await FileEventStore.open(place, { keys: JSON.parse(made.out) })).close()
      const opened = await command(['status', '--store', place, '--keys-file', file])
      assert.equal(opened.code, 0, opened.err)
    })

    it('says what is missing, and what is wrong', async () => {
      const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
        [['status'], 2, /EVENTSTORE_STORE/],
        [['nonsense'], 2, /unknown command/],
        [['status', '--nonsense'], 2, /unknown option/],
        [['status', '--store', 'mongodb://user:password@127.0.0.1:1'], 2, /names no database/],
        [['status', '--store', 'mongodb://127.0.0.1:1/op'], 2, /no keys/],
        [['status', '--store', 'mongodb://127.0.0.1:1/op', '--keys-file', '/nowhere'], 2, /ENOENT/],
        [['keys', 'generate', '--id', 'not an id'], 2, /--id/],
        [['status', '--store', join(folder.path, 'mistyped')], 2, /there is no embedded store/],
        [['status', '--store', 'postgres://user:password@host/database'], 2, /no address that is known/],
        [['status', '--store', 'mongodb://user:pass/word@host/database'], 2, /cannot be read|names no database/],
        [['layout', '--from', 'http://user:password@host/database'], 2, /no address of a database/],
        [['doctor', '--store', folder.path, '--issuer', 'nonsense'], 2, /nonsense is no issuer/],
        [['verify', '--after', '1.5'], 2, /no position/],
        [['forget', 'alice', '--actor', '', '--issuer', 'https://op.example.com'], 2, /`actor` must be given/],
        [['forget', '', '--actor', 'anna', '--issuer', 'https://op.example.com'], 2, /`accountId` must be/],
        [['forget', 'alice', '--actor', 'anna', '--former-issuer', 'nonsense'], 2, /nonsense is no issuer/],
        [['layout', '--from', 'mongodb://127.0.0.1:1/database'], 3, /ECONNREFUSED/],
      ]
      for (const [args, code, message] of cases) {
        const result = await command(args)
        assert.equal(result.code, code, args.join(' '))
        assert.match(result.err, message)
        assert.doesNotMatch(result.err, /password/)
      }
      const garbage = await command(['status'], {
        env: { EVENTSTORE_STORE: 'mongodb://127.0.0.1:1/op', EVENTSTORE_KEYS: 'secret' },
      })
      assert.equal(garbage.code, 2)
      assert.doesNotMatch(garbage.err, /secret/)
    })

    it('has a code for each error, for machines', async () => {
      for (const [args, error] of [
        [['status', '--json'], 'USAGE'],
        [['status', '--nonsense', '--json'], 'USAGE'],
        [['retention', '--json'], 'REFUSED'],
        [['layout', '--from', 'mongodb://127.0.0.1:1/database', '--json'], 'UNAVAILABLE'],
      ] as const)
        assert.equal((JSON.parse((await command(args)).err) as { error: string }).error, error, args.join(' '))
    })

    it('says which version it is', async () => {
      const { code, out } = await command(['--version'])
      assert.equal(code, 0)
      assert.match(out, /^\d+\.\d+\.\d+\S*\n$/)
    })

    it('has help for people who have never seen it', async () => {
      const { code, out } = await command(['--help'])
      assert.equal(code, 0)
      for (const name of [
        'status',
        'doctor',
        'explain',
        'verify',
        'anchor',
        'sessions',
        'logouts',
        'features',
        'retention',
        'keys',
      ])
        assert.match(out, new RegExp(`  ${name}`))
      assert.match(out, /Exit codes/)
      assert.equal((await command(['sessions', 'end', '--help'])).code, 0)
    })
  })
})
