import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import { type ConsumerRecord, type EventStore, ephemeralKeys, generateSecret, type Keys } from '../../lib/index.ts'
import type { ModelName } from '../../lib/provider/models.ts'
import { checkpointLine, checkpointsOf } from '../../plugins/command-line/commands/checkpoints.ts'
import { progressText } from '../../plugins/command-line/commands/retention.ts'
import { alone } from '../contract/provider-adapter/adapter-under-test.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { type CommandResult, command } from '../support/command.ts'
import { ISSUER, LogoutLog } from '../support/logout-log.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** Says that a commit could not be planned. */
const parkedEvent = {
  stream: 'parked:projections.notifications_back_channel_logout',
  type: 'planner.commit_parked',
  data: { position: 1, failure_reason: 'x' },
}

describe('the lines of the command line', () => {
  const folder = temporaryFolder()
  let keys: Keys

  beforeEach(() => {
    keys = ephemeralKeys()
  })

  const secrets = new Map<string, string>()
  const key = (id: string): Keys['sealing'][number] => {
    const secret = secrets.get(id) ?? generateSecret()
    secrets.set(id, secret)
    return { id, secret }
  }
  const keysNamed = (sealing: readonly string[], hashing: readonly string[]): Keys => ({
    sealing: sealing.map(key),
    hashing: hashing.map(key),
  })

  async function written(write: (store: EventStore, log: LogoutLog) => Promise<void>): Promise<void> {
    const store = await FileEventStore.open(folder.path, { keys })
    try {
      await write(store, new LogoutLog(store))
    } finally {
      await store.close()
    }
  }

  const cli = (...args: string[]): Promise<CommandResult> => cliUntil(new AbortController().signal, ...args)

  /** The same, ended by a signal. */
  async function cliUntil(signal: AbortSignal, ...args: string[]): Promise<CommandResult> {
    const file = join(folder.path, 'keys of the command line')
    await writeFile(file, JSON.stringify(keys))
    const env = { EVENTSTORE_STORE: folder.path, EVENTSTORE_KEYS_FILE: file, EVENTSTORE_ISSUER: ISSUER }
    return command(args, { env, signal })
  }

  describe('on features', () => {
    it('leave out for machines how the OP is configured, which is not known here', async () => {
      await written(async () => {})
      const [configured] = (await cli('features', '--json')).json as Record<string, unknown>[]
      assert.deepEqual(configured, { feature: 'back_channel_logout', from: 'configuration' })
      const off = await cli('features', 'off', 'back_channel_logout', '--actor', 'anna', '--json')
      const { instance, ...rest } = off.json[0] as Record<string, unknown>
      assert.deepEqual(rest, { feature: 'back_channel_logout', enabled: false, from: 'instance' })
      assert.equal((instance as { actor: string }).actor, 'anna')
    })
  })

  describe('on retention', () => {
    it('count one commit as one', () => {
      assert.equal(progressText({ looked: 1, commits: 1 }), '1 commit looked at, 1 goes')
      assert.equal(progressText({ looked: 2, commits: 0 }), '2 commits looked at, 0 go')
    })

    it('say that it begins with the first run that is no dry run', async () => {
      await written(async () => {})
      assert.match((await cli('retention', '--dry-run')).out, /begins with the first run that is no dry run\n/)
    })
  })

  describe('on logouts', () => {
    it('tell a session that lives from one that is not known, and ask for one', async () => {
      await written((_store, log) => log.login('lives', 'alice', 'shop'))
      assert.equal((await cli('logouts', 'show', 'lives')).out, 'lives  has not ended\n')
      assert.equal((await cli('logouts', 'show', 'nix')).out, 'nix  no such session is known\n')
      const { code, err } = await cli('logouts', 'show', '')
      assert.equal(code, 2)
      assert.match(err, /^which session\? Its uid/)
    })

    it('tell an answer once, and count in the singular', async () => {
      await written(async (store, log) => {
        const [delivery = ''] = await log.ended('one', 'alice', ['shop'])
        await log.failed('one', delivery)
        const row = { id: delivery, lane: `${ISSUER} shop`, dueAt: 9_999_999_999_999, body: {} }
        await store.work('deliveries').add([row])
      })
      assert.match((await cli('logouts', 'list')).out, / {2}shop {2}pending {2}\(1 attempt, HTTP 503, next [^,]*\)\n/)
      assert.equal((await cli('logouts', 'retry', '--client', 'shop')).out, '1 delivery is due at once\n')
    })

    it('say which dead letters are of accounts that were forgotten, and are not sent again', async () => {
      await written(async (_store, log) => {
        for (const [uid, failure_reason] of [
          ['one', 'budget_spent'],
          ['two', 'account_forgotten'],
          ['three', 'account_forgotten'],
        ] as const) {
          const [delivery = ''] = await log.ended(uid, 'alice', ['shop'])
          await log.abandoned(uid, delivery, 'shop', { failure_reason })
        }
      })
      const replay = ['logouts', 'replay', '--client', 'shop', '--actor', 'anna']
      const forgotten = '2 are of accounts that were forgotten\n'
      assert.equal((await cli(...replay, '--dry-run')).out, `1 dead letter would be sent again; ${forgotten}`)
      assert.equal((await cli(...replay, '--yes')).out, `1 dead letter is sent again; ${forgotten}`)
      assert.deepEqual((await cli(...replay, '--yes', '--json')).json, [{ replayed: 0, forgotten: 2, dryRun: false }])
      assert.equal((await cli('logouts', 'dead', '--json')).json.length, 2)
    })
  })

  describe('of a list that is interrupted', () => {
    const aborted = AbortSignal.abort()

    it('never say that there is nothing, and end with 4', async () => {
      await written(async (store, log) => {
        await log.ended('one', 'alice', ['shop'])
        const [dead = ''] = await log.ended('two', 'alice', ['shop'])
        await log.abandoned('two', dead, 'shop')
        await store.append({ events: [parkedEvent], meta: { instance: ISSUER } })
      })
      for (const args of [
        ['sessions', 'list', '--account', 'alice'],
        ['logouts', 'list'],
        ['logouts', 'dead'],
        ['logouts', 'pending'],
        ['logouts', 'pending', '--client', 'shop'],
        ['logouts', 'parked'],
        ['checkpoints', 'list'],
      ]) {
        const { code, out, err } = await cliUntil(aborted, ...args)
        assert.deepEqual([code, out, err], [4, '', 'interrupted: run it again\n'], args.join(' '))
        const machine = await cliUntil(aborted, ...args, '--json')
        assert.deepEqual([machine.code, machine.out], [4, ''], args.join(' '))
        assert.deepEqual(JSON.parse(machine.err), { error: 'REFUSED', message: 'interrupted: run it again' })
      }
      assert.match((await cli('logouts', 'parked')).out, /^#1 /)
    })

    it('say of dead letters that are sent again how many are, and that there may be others', async () => {
      await written(async (_store, log) => {
        const [dead = ''] = await log.ended('one', 'alice', ['shop'])
        await log.abandoned('one', dead, 'shop')
      })
      const replay = ['logouts', 'replay', '--client', 'shop', '--actor', 'anna', '--yes']
      const { code, out, err } = await cliUntil(aborted, ...replay)
      assert.deepEqual([code, out], [4, '0 dead letters are sent again\n'])
      assert.equal(err, 'interrupted: run it again for the rest\n')
      assert.equal((await cli(...replay)).out, '1 dead letter is sent again\n')
    })
  })

  describe('of what is counted or listed to a limit', () => {
    it('say of work that there may be more than is counted', async () => {
      await written(async (store, log) => {
        await log.login('lives', 'alice', 'shop')
        const rows = Array.from({ length: 9_999 }, (_, i) => ({ id: `d${i}`, lane: 'l', dueAt: 0, body: {} }))
        await store.work('deliveries').add(rows)
      })
      assert.match((await cli('status')).out, /^work {6}deliveries {2}9999 open$/m)
      assert.match((await cli('doctor')).out, / NOBODY_SENDS: 9999 logout tokens are owed, /)
      await written((store) => store.work('deliveries').add([{ id: 'last', lane: 'l', dueAt: 0, body: {} }]))
      assert.match((await cli('status')).out, /^work {6}deliveries {2}10000 or more open$/m)
      assert.match((await cli('doctor')).out, / NOBODY_SENDS: 10000 or more logout tokens are owed, /)
    })

    it('say that there may be others, where the limit was reached', async () => {
      await written(async (_store, log) => {
        for (let i = 0; i < 50; i++) {
          const [delivery = ''] = await log.ended(`session ${i}`, 'alice', ['shop'])
          if (i > 0) await log.abandoned(`session ${i}`, delivery, 'shop')
        }
      })
      for (const what of ['list', 'dead']) {
        assert.equal((await cli('logouts', what, '--limit', '2')).err, 'There may be others: --limit is 2.\n')
        assert.equal((await cli('logouts', what, '--limit', '51')).err, '')
        assert.equal((await cli('logouts', what, '--limit', '2', '--json')).err, '')
      }
      assert.equal((await cli('logouts', 'list')).err, 'There may be others: --limit is 50.\n')
      assert.equal((await cli('logouts', 'dead')).err, '')
    })
  })

  describe('on consumers', () => {
    it('say of none that it is less than nothing behind, though it goes on while they are read', async () => {
      const record = { name: 'reports', position: 5 } as ConsumerRecord
      const [found] = await checkpointsOf({
        end: async () => 3,
        readAll: async () => [],
        consumers: { list: async () => [record] },
      })
      assert.ok(found)
      assert.deepEqual([found.behind, checkpointLine(found)], [0, 'reports  #5  at the end  nobody holds it'])
    })
  })

  describe('on a rekey', () => {
    it('count one state without an id as one', async () => {
      const one = /^1 state of models of your own does not hold its id: no new hashing key finds it$/m
      const two = /^2 states of models of your own do not hold their id: no new hashing key finds them$/m
      for (const [id, line] of [
        ['a', one],
        ['b', two],
      ] as const) {
        await written((store) =>
          alone(store).run(async (adapter) => adapter('Own' as ModelName).upsert(id, { value: id } as never, 3_600)),
        )
        assert.match((await cli('rekey', '--dry-run')).out, line)
      }
    })

    it('take nothing out where there is one key', async () => {
      await written(async () => {})
      const { code, out } = await cli('rekey', '--yes')
      assert.equal(code, 0)
      assert.match(out, /no former sealing key is needed: where there is one, /)
      assert.doesNotMatch(out, /hashing/)
    })

    it('name the hashing key that is still needed, and what needs it', async () => {
      keys = keysNamed(['s1'], ['h1'])
      await written((store) =>
        alone(store).run(async (adapter) => {
          const id = newId()
          await adapter('ReplayDetection').upsert(id, sample('ReplayDetection', id), 3_600)
        }),
      )
      keys = keysNamed(['s1'], ['h2', 'h1'])
      const { code, out } = await cli('rekey', '--yes')
      assert.equal(code, 1)
      assert.match(out, /the hashing key "h1" is still needed\n {2}ReplayDetection {2}1, until/)
      assert.doesNotMatch(out, /may be taken out/)
    })

    it('remind of anchors where a former hashing key may be taken out, and of nothing after a dry run', async () => {
      keys = keysNamed(['s1'], ['h1'])
      await written(async () => {})
      keys = keysNamed(['s1'], ['h2', 'h1'])
      assert.match((await cli('rekey', '--yes')).out, /: "h1" may be taken out\. Anchors .* key pair of their own /)
      assert.doesNotMatch((await cli('rekey', '--dry-run')).out, /taken? out/)
    })

    it('call orders to end sessions so', async () => {
      keys = keysNamed(['s1'], ['h1'])
      await written(async (store) => {
        const body = { target: store.keys.seal('alice', 'somewhere') }
        await store.work('endings').add([{ id: 'a', lane: 'l', dueAt: 0, body }])
      })
      keys = keysNamed(['s2', 's1'], ['h1'])
      const { code, out } = await cli('rekey', '--yes')
      assert.equal(code, 1)
      assert.match(out, /"s1" is still needed\n {2}orders to end sessions {2}1, until they are carried out\n/)
    })
  })
})
