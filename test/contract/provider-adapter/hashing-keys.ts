import assert from 'node:assert/strict'
import { type EventStore, systemClock } from '../../../lib/index.ts'
import { ModelLog } from '../../../lib/provider/model-log.ts'
import type { ModelName } from '../../../lib/provider/models.ts'
import { present, rejectsWith } from '../event-store/expect.ts'
import {
  alone,
  type Caller,
  type Capabilities,
  inRequests,
  KEYS,
  keysNamed,
  type MakeLog,
  openedStore,
  Refused,
  withKeys,
} from './adapter-under-test.ts'
import { revokeAll } from './grants.ts'
import { CONSUMABLES, MODELS, newId, sample } from './samples.ts'

/** The steps of a rotation: which hashing keys a process has, the one that writes first. */
const OLD = keysNamed(['s1'], ['h1'])
const ADDED = keysNamed(['s1'], ['h1', 'h2'])
const SWITCHED = keysNamed(['s1'], ['h2', 'h1'])
const NEW = keysNamed(['s1'], ['h2'])

const CALLERS: readonly ((store: EventStore) => Caller)[] = [alone, inRequests]

export function hashingKeysContract(makeLog: MakeLog, { kept }: Capabilities): void {
  for (const calling of CALLERS) {
    describe(`while the hashing key rotates (${calling(withoutStore).name})`, () => {
      const opened = openedStore(makeLog)
      const callers = new Map<typeof OLD, Caller>()
      before(() => {
        for (const keys of [OLD, ADDED, SWITCHED, NEW]) callers.set(keys, calling(withKeys(opened.store, keys)))
      })
      const as = (keys: typeof OLD): Caller => present(callers.get(keys))
      const requests = new Map<typeof OLD, Caller>()
      const inRequest = (keys: typeof OLD): Caller => {
        const caller = requests.get(keys) ?? inRequests(withKeys(opened.store, keys))
        requests.set(keys, caller)
        return caller
      }

      it('everything written under either is found under both, until the old one is removed', async () => {
        await Promise.all(
          MODELS.map(async (model) => {
            const before = newId()
            await store(as(OLD), model, before)
            for (const reader of [OLD, ADDED, SWITCHED]) await assertFound(as(reader), model, before)
            for (const writer of [ADDED, SWITCHED]) {
              const id = newId()
              await store(as(writer), model, id)
              for (const reader of [OLD, ADDED, SWITCHED, NEW]) await assertFound(as(reader), model, id)
            }
          }),
        )
      })

      it('sessions are found by uid and device codes by user code', async () => {
        for (const writer of [ADDED, SWITCHED]) {
          const [uid, userCode, id] = [newId(), newId(), newId()]
          await as(writer).run((adapter) => adapter('Session').upsert(id, sample('Session', id, { uid }), 60))
          await as(writer).run((adapter) =>
            adapter('DeviceCode').upsert(id, sample('DeviceCode', id, { userCode }), 60),
          )
          for (const reader of [OLD, ADDED, SWITCHED, NEW]) {
            assert.ok(await as(reader).run((adapter) => adapter('Session').findByUid(uid)))
            assert.ok(await as(reader).run((adapter) => adapter('DeviceCode').findByUserCode(userCode)))
          }
        }
      })

      for (const model of CONSUMABLES) {
        it(`${model}: what was used in one process is used in all of them`, async () => {
          for (const [writer, user, other] of [
            [OLD, OLD, ADDED],
            [OLD, ADDED, OLD],
            [ADDED, ADDED, SWITCHED],
            [ADDED, SWITCHED, ADDED],
            [SWITCHED, ADDED, NEW],
            [OLD, SWITCHED, ADDED],
          ] as const) {
            const id = newId()
            await store(as(writer), model, id)
            await as(user).run((adapter) => adapter(model).consume(id))
            const found = await as(other).run((adapter) => adapter(model).find(id))
            assert.equal(typeof found?.['consumed'], 'number')
            await assert.rejects(
              as(other).run((adapter) => adapter(model).consume(id)),
              Refused,
            )
          }
        })
      }

      it('a code that processes of both steps exchange at once is good for one of them', async () => {
        for (const pair of [
          [OLD, ADDED],
          [ADDED, SWITCHED],
          [SWITCHED, NEW],
        ] as const) {
          const id = newId()
          await store(as(pair[0] === SWITCHED ? SWITCHED : OLD), 'AuthorizationCode', id)
          const results = await Promise.allSettled(
            Array.from({ length: 8 }, (_, n) =>
              as(pair[n % 2] ?? OLD).run((adapter) => adapter('AuthorizationCode').consume(id)),
            ),
          )
          assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
        }
      })

      it('a proof that was shown in one process was shown in all of them', async () => {
        for (const [first, second] of [
          [OLD, ADDED],
          [ADDED, SWITCHED],
          [SWITCHED, NEW],
        ] as const) {
          const id = newId()
          await store(as(first), 'ReplayDetection', id)
          assert.ok(await as(second).run((adapter) => adapter('ReplayDetection').find(id)))
        }
      })

      it('what is destroyed or revoked in one is gone in all', async () => {
        for (const [writer, other] of [
          [OLD, ADDED],
          [ADDED, SWITCHED],
          [OLD, SWITCHED],
          [SWITCHED, ADDED],
        ] as const) {
          const [destroyed, revoked, grantId] = [newId(), newId(), newId()]
          await store(as(writer), 'Grant', destroyed)
          await as(writer).run((adapter) =>
            adapter('AccessToken').upsert(revoked, sample('AccessToken', revoked, { grantId }), 60),
          )
          await as(other).run((adapter) => adapter('Grant').destroy(destroyed))
          await as(other).run((adapter) => revokeAll(adapter, grantId))
          for (const reader of [OLD, ADDED, SWITCHED]) {
            assert.equal(await as(reader).run((adapter) => adapter('Grant').find(destroyed)), undefined)
            assert.equal(await as(reader).run((adapter) => adapter('AccessToken').find(revoked)), undefined)
          }
        }
      })

      it('what was issued under a grant is honoured by all and revoked by each, though only the old key names former revocations', async () => {
        const grantId = newId()
        const save = (keys: typeof OLD) =>
          as(keys).run((adapter) => adapter('Grant').upsert(grantId, sample('Grant', grantId), 60))
        const issue = async (keys: typeof OLD): Promise<string> => {
          const id = newId()
          await as(keys).run((adapter) =>
            adapter('RefreshToken').upsert(id, sample('RefreshToken', id, { grantId }), 60),
          )
          return id
        }
        const lives = async (keys: typeof OLD, id: string): Promise<boolean> =>
          (await as(keys).run((adapter) => adapter('RefreshToken').find(id))) !== undefined
        await save(OLD)
        for (let n = 0; n < 3; n++) await as(OLD).run((adapter) => revokeAll(adapter, grantId))
        await save(ADDED)
        for (const revoker of [SWITCHED, NEW]) {
          const tokens = [await issue(SWITCHED), await issue(NEW)]
          for (const token of tokens)
            for (const reader of [SWITCHED, NEW]) assert.equal(await lives(reader, token), true)
          await as(revoker).run((adapter) => revokeAll(adapter, grantId))
          for (const token of tokens)
            for (const reader of [SWITCHED, NEW]) assert.equal(await lives(reader, token), false)
        }
      })

      it('a login that began under the old key is found by its sid once the session was saved under both', async () => {
        const [id, sid, later] = [newId(), newId(), newId()]
        const save = (keys: typeof OLD, authorizations: Record<string, { sid: string }>) =>
          inRequest(keys).run(async (adapter) => {
            const found = await adapter('Session').find(id)
            await adapter('Session').upsert(id, { ...(found ?? sample('Session', id)), authorizations }, 60)
          })
        await save(OLD, { rp: { sid } })
        await save(ADDED, { rp: { sid } })
        await save(OLD, { rp: { sid }, other: { sid: later } })
        await save(SWITCHED, { rp: { sid }, other: { sid: later } })
        for (const keys of [ADDED, SWITCHED, NEW]) {
          const log = new ModelLog(withKeys(opened.store, keys), systemClock)
          for (const one of [sid, later]) assert.ok(await log.sessionWithSid(one), 'a login is not found by its sid')
        }
      })

      it('a session that processes of both steps write at once keeps the logins of both', async () => {
        for (const [one, two] of [
          [OLD, ADDED],
          [ADDED, SWITCHED],
          [SWITCHED, ADDED],
        ] as const) {
          const [id, uid] = [newId(), newId()]
          const start = sample('Session', id, { uid, authorizations: {} })
          await as(one).run((adapter) => adapter('Session').upsert(id, start, 60))
          const login = (client: string) => ({ ...start, authorizations: { [client]: { sid: client } } })
          await inRequest(one).run(async (adapter) => {
            await adapter('Session').find(id)
            await inRequest(two).run(async (other) => {
              await other('Session').find(id)
              await other('Session').upsert(id, login('two'), 60)
            })
            await adapter('Session').upsert(id, login('one'), 60)
          })
          const found = await as(two).run((adapter) => adapter('Session').find(id))
          assert.deepEqual(Object.keys(found?.['authorizations'] ?? {}).sort(), ['one', 'two'])
        }
      })

      it('a session goes on from step to step, and its end ends it everywhere', async () => {
        const [id, uid] = [newId(), newId()]
        let n = 0
        for (const keys of [OLD, ADDED, OLD, SWITCHED, ADDED, SWITCHED, NEW]) {
          n += 1
          await as(keys).run(async (adapter) => {
            const found = await adapter('Session').find(id)
            assert.equal(found?.['n'], n === 1 ? undefined : n - 1)
            await adapter('Session').upsert(id, sample('Session', id, { uid, n }), 60)
          })
        }
        await as(NEW).run((adapter) => adapter('Session').destroy(id))
        for (const keys of [ADDED, SWITCHED, NEW]) {
          assert.equal(await as(keys).run((adapter) => adapter('Session').find(id)), undefined)
        }
      })
    })
  }

  if (kept) {
    describe('a log that is opened', () => {
      it('with none of its hashing keys is refused: nothing in it would be found', async () => {
        const log = await makeLog()
        try {
          await (await log.open(KEYS)).close()
          const error = await rejectsWith('KEY_UNKNOWN', () => log.open(NEW))
          assert.match(error.message, /h1/)
          // The same id, another secret.
          const [sealing] = KEYS.sealing
          assert.ok(sealing)
          const impostor = { sealing: [sealing], hashing: [{ id: 'h1', secret: Buffer.alloc(32, 7) }] }
          await rejectsWith('KEY_UNKNOWN', () => log.open(impostor))
          for (const keys of [OLD, ADDED, SWITCHED, NEW]) await (await log.open(keys)).close()
        } finally {
          await log.remove()
        }
      })
    })
  }
}

const withoutStore = { append: () => Promise.reject(new Error('no store')) } as unknown as EventStore

async function store(caller: Caller, model: ModelName, id: string): Promise<void> {
  await caller.run((adapter) => adapter(model).upsert(id, sample(model, id), 60))
}

async function assertFound(caller: Caller, model: ModelName, id: string): Promise<void> {
  assert.ok(await caller.run((adapter) => adapter(model).find(id)), `the ${model} is not found`)
}
