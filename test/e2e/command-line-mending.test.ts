import assert from 'node:assert/strict'
import { PassThrough, Writable } from 'node:stream'
import { FileEventStore } from '../../adapters/file/index.ts'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { forgottenEvent } from '../../lib/erasure/forgotten-keys.ts'
import { type Clock, type EventStore, ephemeralKeys, type Keys, silent, systemClock } from '../../lib/index.ts'
import { sealedOwner } from '../../lib/secrets/account-key-owner.ts'
import { accountNames } from '../../lib/secrets/account-names.ts'
import { ParkedCommits } from '../../plugins/back-channel-logout/delivery/parked-commits.ts'
import { LogoutOperations } from '../../plugins/back-channel-logout/index.ts'
import { run } from '../../plugins/command-line/program.ts'
import { present } from '../contract/event-store/expect.ts'
import { type CommandResult, command } from '../support/command.ts'
import { LogoutLog } from '../support/logout-log.ts'
import { type OpenedDatabase, openDatabase } from '../support/mongo-database.ts'
import { workOf } from '../support/planning.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const ISSUER = 'https://op.example.com'
const PLANNER = 'projections.notifications_back_channel_logout'
const LONG_AGO = Number.MAX_SAFE_INTEGER

/** A finding, as a command tells it. */
interface Told {
  readonly code: string
  readonly severity: string
  readonly what: string
  readonly todo: string
  readonly fix?: { readonly state: string; readonly what: string }
}

/** A clock on which whoever sleeps wakes at once, and time of day has passed; `meanwhile` happens in each sleep. */
function hurried(meanwhile: () => Promise<unknown> = async () => {}): Clock {
  let passed = 0
  return {
    ...systemClock,
    now: () => systemClock.now() + passed,
    monotonic: () => passed,
    sleep: async (ms) => {
      passed += ms
      await meanwhile()
    },
  }
}

/** A log that the command line and a test have in turns, or at once. */
interface Place {
  readonly env: Readonly<Record<string, string>>
  open(): Promise<EventStore>
  remove(): Promise<void>
}

/** @param isShared - whether a command may have it while another process does */
function mending(name: string, isShared: boolean, make: () => Promise<Place>): void {
  describe(`the command line mends, on ${name}`, () => {
    let place: Place
    beforeEach(async () => {
      place = await make()
      await using_(async () => {})
    })
    afterEach(() => place.remove())

    async function using_<T>(work: (store: EventStore) => Promise<T>): Promise<T> {
      const store = await place.open()
      try {
        return await work(store)
      } finally {
        await store.close()
      }
    }

    const cli = (args: readonly string[], clock: Clock = hurried()): Promise<CommandResult> =>
      command(args, { env: { ...place.env, EVENTSTORE_ISSUER: ISSUER }, clock })

    async function doctor(...args: string[]): Promise<{ readonly code: number; readonly found: readonly Told[] }> {
      const { code, json, err } = await cli(['doctor', '--json', ...args])
      assert.notEqual(code, 70, err)
      return { code, found: (json as Told[]).filter(({ code: one }) => one !== 'RETENTION_NEVER_RAN') }
    }
    const codes = (found: readonly Told[]): string[] => found.map(({ code }) => code)

    /** Somebody orders that sessions end; the planner has got past that, and the rows of the orders are gone. */
    async function loseTerminations(count: number): Promise<string[]> {
      return using_(async (store) => {
        await store.append({ events: [{ stream: 'Thing:a', type: 'stored', data: {} }] })
        const operations = new LogoutOperations({ store, issuer: ISSUER })
        const orders = Array.from({ length: count }, () =>
          operations.terminate({ kind: 'account', accountId: 'alice' }, { actor: 'anna' }),
        )
        const ids = (await Promise.all(orders)).map(({ id }) => id)
        await store.consumers.ensure(PLANNER, await store.end())
        return ids
      })
    }

    /** A key of an account is there, which the log says was destroyed. */
    async function putKeyBack(store: EventStore, id: string): Promise<string> {
      const { key, sealed } = store.keys.makeDataKey()
      const account = sealedOwner(store.keys, { issuer: ISSUER, accountId: id }, key)
      await store.accountKeys.obtain([id], { id: key.id, sealed, account, usedAt: 1 })
      await store.append({ events: [forgottenEvent(ISSUER, key.id)] })
      return key.id
    }

    it('names an order that nobody carries out, and puts back one that is lost', async () => {
      const [id] = await loseTerminations(1)
      const { code, found } = await doctor()
      assert.equal(code, 1)
      assert.deepEqual(codes(found), ['TERMINATION_LOST', 'TERMINATIONS_WAIT'])
      assert.match(found[0]?.what ?? '', new RegExp(`${id} of anna.*all sessions of an account`))
      assert.doesNotMatch(JSON.stringify(found), /alice/)
      assert.equal(found[0]?.fix?.state, 'possible')

      const would = await doctor('--fix', '--dry-run')
      assert.deepEqual(would, { code, found })
      assert.equal(await using_((store) => store.work('endings').get(`job/${id}`)), undefined)

      const fixed = await doctor('--fix')
      assert.deepEqual(fixed.found[0]?.fix, { state: 'done', what: `put the order ${id} back` })
      assert.equal(fixed.code, 1) // still nobody carries it out
      const row = await using_((store) => store.work('endings').get(`job/${id}`))
      assert.equal(row?.body['actor'], 'anna')
      assert.deepEqual(codes((await doctor('--fix')).found), ['TERMINATIONS_WAIT'])
      const text = await cli(['doctor'])
      assert.match(
        text.out,
        /FAULT {2}TERMINATIONS_WAIT: 1 order to end sessions is not carried out.*\n {7}start the OP/,
      )
      assert.equal((await cli(['doctor', '--dry-run'])).code, 2)
    })

    /** Sessions that have ended, with two RPs each, and the planner got past them; the rows are those of the first RP. */
    async function loseDeliveries(count: number): Promise<void> {
      await using_(async (store) => {
        const log = new LogoutLog(store, ISSUER)
        for (let n = 0; n < count; n++) await log.ended(`s${n}`, 'alice', ['told', 'lost'])
        const commits = await store.readAll({ after: 0, limit: 1_000 })
        const work = await workOf(store, commits, Date.now())
        await store.work('deliveries').add(work.filter(({ body }) => body['clientId'] === 'told'))
        await store.consumers.ensure(PLANNER, await store.end())
      })
    }

    it('names the RPs that nobody will tell, and puts their deliveries back', async () => {
      await loseDeliveries(3)
      const { found } = await doctor()
      const lost = found.filter(({ code }) => code === 'DELIVERIES_LOST')
      assert.match(lost[0]?.what ?? '', /^3 logout tokens are pending in the log.* the RPs are lost$/)
      assert.doesNotMatch(JSON.stringify(found), /alice/)
      await doctor('--fix', '--dry-run')
      assert.equal(await using_((store) => store.work('deliveries').countOpen()), 3)
      const fixed = await doctor('--fix')
      assert.deepEqual(fixed.found.find(({ code }) => code === 'DELIVERIES_LOST')?.fix, {
        state: 'done',
        what: 'put 3 back',
      })
      const rows = await using_((store) => store.work('deliveries').open({ limit: 10 }))
      assert.equal(rows.length, 6)
      for (const { body, deadline } of rows.filter(({ body: { clientId } }) => clientId === 'lost'))
        assert.equal(Number(deadline) - Number(body['endedAt']), 48 * 3_600_000)
      assert.ok(!codes((await doctor()).found).includes('DELIVERIES_LOST'))
    })

    it('takes no delivery for lost that the planner has not got to, or whose commit is parked', async () => {
      await loseDeliveries(1)
      await using_(async (store) => {
        const log = new LogoutLog(store, ISSUER)
        await log.ended('later', 'alice', ['lost'])
        const parked = new ParkedCommits({ store, issuer: ISSUER, plan: async () => {} })
        const [end] = await store.readStreams(['session_logout:s0'], { direction: 'backwards', limit: 1 })
        await parked.park(present(end), new Error('it cannot be planned'))
      })
      assert.ok(!codes((await doctor()).found).includes('DELIVERIES_LOST'))
    })

    it('leaves an order alone that the planner has not got to, and one that is carried out', async () => {
      const id = await using_(async (store) => {
        const operations = new LogoutOperations({ store, issuer: ISSUER })
        await store.consumers.ensure(PLANNER, 0)
        return (await operations.terminate({ kind: 'all' }, { actor: 'anna' })).id
      })
      assert.deepEqual(codes((await doctor('--fix')).found), ['TERMINATIONS_WAIT'])
      await using_(async (store) => {
        assert.equal(await store.work('endings').get(`job/${id}`), undefined)
        const also = [`terminations:${ISSUER}`, `termination_completed:${id}`]
        const data = { sessions: 0, logins: 0, grants: 0, failed: 0 }
        await store.append({ events: [{ stream: `termination:${id}`, also, type: 'termination.completed', data }] })
      })
      assert.deepEqual(await doctor('--fix'), { code: 0, found: [] })
    })

    it('removes a consumer that is gone, once it is told to', async () => {
      const end = await using_(async (store) => {
        for (const n of [1, 2, 3]) await store.append({ events: [{ stream: `Thing:${n}`, type: 'stored', data: {} }] })
        await store.consumers.ensure('reports', 1)
        return store.end()
      })
      const dry = await cli(['checkpoints', 'remove', 'reports', '--dry-run', '--json'])
      const { dependent, ...would } = dry.json[0] as Record<string, unknown>
      assert.deepEqual(
        [dry.code, would],
        [0, { name: 'reports', dryRun: true, position: 1, behind: end - 1, parked: 0 }],
      )
      assert.match(String(dependent), /begins where its program says/)
      const unasked = await cli(['checkpoints', 'remove', 'reports'])
      assert.equal(unasked.code, 4)
      assert.match(unasked.err, /has got to #1, is removed.*--yes/)
      assert.match((await cli(['checkpoints'])).out, /reports {2}#1/)
      const removed = await cli(['checkpoints', 'remove', 'reports', '--yes', '--json'])
      assert.deepEqual([removed.code, removed.json[0]], [0, { ...would, dryRun: false, dependent }])
      assert.doesNotMatch((await cli(['checkpoints', 'list'])).out, /reports/)
      const again = await cli(['checkpoints', 'remove', 'reports', '--yes', '--json'])
      assert.deepEqual([again.code, (JSON.parse(again.err) as { error: string }).error], [2, 'OPTION_INVALID'])
    })

    it('destroys keys again that were destroyed, and are there again', async () => {
      await using_(async (store) => {
        await putKeyBack(store, 'back')
        await store.accountKeys.destroy([await putKeyBack(store, 'gone')], 1)
      })
      const found = await doctor('--fix', '--dry-run')
      assert.deepEqual([found.code, codes(found.found)], [1, ['ACCOUNT_KEYS_BACK']])
      assert.deepEqual((await cli(['verify', '--json'])).code, 1)
      const fixed = await doctor('--fix')
      assert.deepEqual(fixed.found[0]?.fix, { state: 'done', what: 'destroyed 1 key again' })
      assert.deepEqual(await doctor(), { code: 0, found: [] })
      assert.equal((await cli(['verify', '--json'])).code, 0)
    })

    it('says of keys that are back that they are destroyed only where they are, wherever it is interrupted', async () => {
      const id = await using_((store) => putKeyBack(store, 'back'))
      const isBack = async (): Promise<boolean> =>
        using_(async (store) => (await store.accountKeys.find([id])).some(({ sealed }) => sealed !== undefined))
      for (let at = 1; ; at++) {
        const stopping = new AbortController()
        let looks = 0
        const now = (): number => {
          looks += 1
          if (looks === at) stopping.abort()
          return systemClock.now()
        }
        const { code, json } = await command(['doctor', '--fix', '--json'], {
          env: { ...place.env, EVENTSTORE_ISSUER: ISSUER },
          clock: { ...hurried(), now },
          signal: stopping.signal,
        })
        const [fix] = (json as Told[]).flatMap((one) => one.fix ?? [])
        if (!stopping.signal.aborted) {
          assert.deepEqual([code, fix, await isBack()], [0, { state: 'done', what: 'destroyed 1 key again' }, false])
          break
        }
        assert.deepEqual([code, await isBack()], [fix ? 1 : 4, true])
        assert.deepEqual(fix ?? {}, fix ? { state: 'failed', what: 'interrupted: run it again' } : {})
      }
    })

    it('claims nothing of what it has not looked at where it is interrupted', async () => {
      const env = { ...place.env, EVENTSTORE_ISSUER: ISSUER }
      await using_((store) => putKeyBack(store, 'back'))
      assert.equal((await cli(['retention', '--yes'])).code, 0)
      const { code, err } = await command(['doctor'], { env, clock: hurried(), signal: AbortSignal.abort() })
      assert.equal(code, 4)
      assert.match(err, /interrupted: there may be more than was found and mended here. Run it again/)
      assert.doesNotMatch(err, /Nothing needs an operator/)
    })

    it('reminds of a feature that somebody has switched off', async () => {
      assert.equal((await cli(['features', 'off', 'back_channel_logout', '--actor', 'anna'])).code, 0)
      const { code, found } = await doctor()
      assert.deepEqual([code, codes(found)], [0, ['FEATURE_OFF']])
      assert.match(String(found[0]?.what), /back_channel_logout was switched off by anna, /)
      await cli(['features', 'on', 'back_channel_logout', '--actor', 'anna'])
      assert.deepEqual((await doctor()).found, [])
    })

    it('says what depends on the planner', async () => {
      await using_((store) => store.consumers.ensure(PLANNER, 0))
      assert.match((await cli(['checkpoints', 'remove', PLANNER, '--dry-run'])).out, /RPs are not told/)
    })

    if (!isShared) {
      // Whoever puts one back goes through all of them: that takes long on a server.
      it('puts back all orders that are lost, also more than a hundred, or says which it has not put back', async () => {
        const ids = await loseTerminations(101)
        const stopping = new AbortController()
        let out = ''
        const stdout = new Writable({
          write: (chunk, _, done) => {
            out += String(chunk)
            if (/put the order/.test(out)) stopping.abort()
            done()
          },
        })
        const env = { ...place.env, EVENTSTORE_ISSUER: ISSUER }
        const [stdin, stderr, clock] = [new PassThrough(), new PassThrough(), hurried()]
        const { signal } = stopping
        assert.equal(await run(['doctor', '--fix'], { env, stdin, stdout, stderr, clock, signal }), 1)
        assert.equal(out.match(/fixed: put the order/g)?.length, 1)
        assert.equal(out.match(/could not be fixed: interrupted: run it again/g)?.length, ids.length - 1)

        const { found } = await doctor('--fix')
        const states = found.flatMap(({ fix }) => fix?.state ?? [])
        assert.deepEqual(states, Array(ids.length - 1).fill('done'))
        assert.deepEqual(codes((await doctor('--fix')).found), ['TERMINATIONS_WAIT'])
      })
      return // whoever opens it has it alone, and has taken everything back
    }

    it('ends with 1 where a fault is left, and with 0 once all are mended', async () => {
      await loseTerminations(1)
      const store = await place.open()
      await store.liveness.beat(['living'])
      const beating = hurried(() => store.liveness.beat(['living']))
      assert.equal((await cli(['doctor'], beating)).code, 1)
      assert.equal((await cli(['doctor', '--fix', '--dry-run'], beating)).code, 1)
      assert.equal((await cli(['doctor', '--fix'], beating)).code, 0)
      assert.equal((await cli(['doctor'], beating)).code, 0)
      await store.close()
    })

    it('ends with 1 where an order is carried out, and a session could not be ended', async () => {
      const store = await place.open()
      const end = async (failed: number): Promise<CommandResult> => {
        const carryOut = async (): Promise<void> => {
          const [open] = await new LogoutOperations({ store, issuer: ISSUER }).openTerminations()
          assert.ok(open)
          const also = [`terminations:${ISSUER}`, `termination_completed:${open.id}`]
          const data = { sessions: 1, logins: 1, grants: 0, failed }
          await store.append({
            events: [{ stream: `termination:${open.id}`, also, type: 'termination.completed', data }],
          })
        }
        return cli(['sessions', 'end', '--all', '--actor', 'anna', '--wait', '--yes'], hurried(carryOut))
      }
      assert.equal((await end(0)).code, 0)
      const { code, out } = await end(2)
      assert.equal(code, 1)
      assert.match(out, /completed: 1 session, 1 login, 0 grants; 2 could not be ended/)
      await store.close()
    })

    it('gives back what all hold that are gone, also more than a hundred', async () => {
      const gone = Array.from({ length: 101 }, (_, n) => `gone ${n}`)
      await using_((store) => store.liveness.beat(gone))
      const { found } = await doctor('--fix')
      assert.deepEqual(codes(found), Array(gone.length).fill('HOLDER_GONE'))
      assert.deepEqual(await doctor(), { code: 0, found: [] })
    })

    it('says in a line of its own that it was interrupted while it waited for an OP', async () => {
      await using_(async (store) => {
        const { key, sealed } = store.keys.makeDataKey()
        const alice = { issuer: ISSUER, accountId: 'alice' }
        const account = sealedOwner(store.keys, alice, key)
        await store.accountKeys.obtain(accountNames(store.keys, alice), { id: key.id, sealed, account, usedAt: 1 })
      })
      const stopping = new AbortController()
      const stderr = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true })
      const code = await run(['forget', 'alice', '--actor', 'anna', '--yes'], {
        env: { ...place.env, EVENTSTORE_ISSUER: ISSUER },
        stdin: new PassThrough(),
        stdout: new PassThrough(),
        stderr,
        clock: hurried(async () => stopping.abort()),
        signal: stopping.signal,
      })
      assert.equal(code, 4)
      assert.match(String(stderr.read()), /under way\r +\rinterrupted: run it again\n$/)
    })

    it('gives back what a process holds that is gone, and nothing of one that lives', async () => {
      const store = await place.open()
      const take = async (consumer: string, holder: string, job: string): Promise<void> => {
        await store.liveness.beat([holder])
        const seen = await store.consumers.ensure(consumer, 0)
        assert.ok(await store.consumers.take(seen, holder))
        await store.work('deliveries').add([{ id: job, lane: job, dueAt: 0, body: {} }])
        const wanted = { holder, prefix: job, now: LONG_AGO, limit: 1, perLane: 1 }
        assert.equal((await store.work('deliveries').claim(wanted)).length, 1)
      }
      await take('dead', 'gone', 'a')
      await take('alive', 'living', 'b')
      const beating = (): Clock => hurried(() => store.liveness.beat(['living']))
      const run = async (...args: string[]): Promise<{ readonly code: number; readonly found: Told[] }> => {
        const { code, json } = await cli(['doctor', '--json', ...args], beating())
        return { code, found: (json as Told[]).filter(({ code: one }) => one === 'HOLDER_GONE') }
      }
      const refused = await cli(['checkpoints', 'remove', 'alive', '--yes', '--json'], beating())
      assert.deepEqual([refused.code, (JSON.parse(refused.err) as { error: string }).error], [4, 'CONSUMER_LIVES'])

      const { code, found } = await run()
      // Somebody who is gone is watched for 10 s: these are no difference of clocks, which would be a fault.
      assert.equal(code, 0)
      assert.deepEqual(
        found.map(({ what, severity }) => [what, severity]),
        [['gone shows no sign of life, and has left 1 lease and work', 'note']],
      )
      const before = await store.consumers.get('dead')
      await run('--fix', '--dry-run')
      assert.deepEqual(await store.consumers.get('dead'), before)
      const fixed = await run('--fix')
      assert.deepEqual(fixed.found[0]?.fix, { state: 'done', what: 'gave back 1 lease and 1 piece of work' })
      assert.equal((await store.consumers.get('dead'))?.holder, undefined)
      assert.equal((await store.consumers.get('alive'))?.holder, 'living')
      assert.deepEqual(await store.work('deliveries').holders(), ['living'])
      assert.deepEqual(
        (await store.liveness.beat([])).signs.map(({ holder }) => holder),
        ['living'],
      )
      assert.deepEqual(await run('--fix'), { code: 0, found: [] })
      // The last one dies, and leaves its sign of life: nobody sends what is owed.
      const left = await cli(['doctor', '--json'])
      assert.equal(left.code, 1)
      assert.ok((left.json as Told[]).some(({ code: one }) => one === 'NOBODY_SENDS'))
      await store.close()
    })
  })
}

describe('the command line', () => {
  const folder = temporaryFolder()

  mending('a folder', false, async () => ({
    env: { EVENTSTORE_STORE: folder.path },
    open: () => FileEventStore.open(folder.path),
    remove: async () => {},
  }))

  mending('MongoDB', true, async () => {
    const database: OpenedDatabase = await openDatabase('mending')
    const keys: Keys = ephemeralKeys()
    const address = new URL(database.uri)
    address.pathname = `/${database.name}`
    return {
      env: { EVENTSTORE_STORE: address.href, EVENTSTORE_KEYS: JSON.stringify(keys) },
      open: () => MongoEventStore.open(database.db, { keys, logger: silent }),
      remove: () => database.drop(),
    }
  })
})
