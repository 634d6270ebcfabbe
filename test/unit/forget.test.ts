import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { forgetAccount } from '../../lib/erasure/forget.ts'
import { destroyAgain, forgottenEvent, forgottenStream } from '../../lib/erasure/forgotten-keys.ts'
import {
  AccountKeyMisnamedError,
  ErasureUnfinishedError,
  OptionInvalidError,
  ProviderUnfitError,
} from '../../lib/errors.ts'
import {
  ephemeralKeys,
  eventSourced,
  type Fault,
  type ForgetOptions,
  type ForgetReport,
  generateSecret,
  verifyLog,
} from '../../lib/index.ts'
import type { AccountKeyRecord } from '../../lib/log/account-key-table.ts'
import { ModelLog } from '../../lib/provider/model-log.ts'
import { rekeyLog } from '../../lib/rekey/rekey.ts'
import { AccountKeys } from '../../lib/secrets/account-keys.ts'
import { accountNames } from '../../lib/secrets/account-names.ts'
import { dataKeyIn } from '../../lib/secrets/key-ring.ts'
import { LogoutOperations } from '../../plugins/back-channel-logout/index.ts'
import { withKeys } from '../contract/provider-adapter/adapter-under-test.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { until } from '../support/log-follower.ts'

const ISSUER = 'https://op.example.com'
const ACCOUNT = { issuer: ISSUER, accountId: 'alice' }

describe('forgetting an account, step by step', () => {
  let clock: FakeClock
  let store: MemoryEventStore
  let accountKeys: AccountKeys

  beforeEach(() => {
    clock = new FakeClock(1_000_000)
    store = new MemoryEventStore({ clock })
    accountKeys = new AccountKeys(store, clock)
  })
  afterEach(() => store.close())

  const forget = (
    end: (dryRun: boolean) => Promise<number>,
    how: Partial<ForgetOptions> = { settleMs: 0 },
  ): Promise<ForgetReport> => {
    const parts = { store, accountKeys, clock, issuers: [ISSUER, 'https://former'], end } as const
    return forgetAccount(parts, 'alice', { actor: 'anna', ...how })
  }
  const nothingLives = async (): Promise<number> => 0

  it('destroys nothing while somebody goes on logging in, and does it when that is over', async () => {
    const sealed = await accountKeys.seal('secret', 'S:1', ACCOUNT)
    const calls: boolean[] = []
    const busy = async (dryRun: boolean): Promise<number> => calls.push(dryRun) && 1
    await assert.rejects(() => forget(busy), ErasureUnfinishedError)
    assert.deepEqual(calls, [false, true, false, true, false, true])
    assert.equal(await accountKeys.open(sealed, 'S:1'), 'secret')
    assert.deepEqual(await store.read(forgottenStream(ISSUER)), [])
    const { keys, ended, destroyedAt } = await forget(async (dryRun) => (dryRun ? 0 : 2))
    assert.deepEqual([keys, ended, destroyedAt], [1, 2, 1_000_000])
    assert.equal(await accountKeys.open(sealed, 'S:1'), undefined)
  })

  it('ends first, and destroys nothing when that fails', async () => {
    const sealed = await accountKeys.seal('secret', 'S:1', ACCOUNT)
    await assert.rejects(() => forget(() => Promise.reject(new Error('away'))), /away/)
    assert.equal(await accountKeys.open(sealed, 'S:1'), 'secret')
  })

  it('destroys what requests have stored that were under way, until they have ended', async () => {
    await accountKeys.seal('secret', 'S:1', ACCOUNT)
    const forgetting = forget(nothingLives, {})
    await clock.scheduled()
    const late = await new AccountKeys(store, clock).seal('late', 'S:2', ACCOUNT)
    await clock.advance(14_999)
    assert.equal(await new AccountKeys(store, clock).open(late, 'S:2'), 'late')
    await clock.advance(1)
    await clock.scheduled()
    assert.equal(await new AccountKeys(store, clock).open(late, 'S:2'), undefined)
    await clock.advance(15_000)
    assert.equal((await forgetting).keys, 2)
    assert.equal((await forget(nothingLives, {})).keys, 2) // nothing is new: it waits for nobody
  })

  it('says so where somebody is at it all the time, and what was destroyed stays so', async () => {
    const sealed = await accountKeys.seal('secret', 'S:1', ACCOUNT)
    const forgetting = forget(nothingLives, {})
    const refused = assert.rejects(forgetting, ErasureUnfinishedError)
    for (let pass = 1; pass <= 3; pass++) {
      await clock.scheduled()
      await new AccountKeys(store, clock).seal('late', 'S:2', ACCOUNT)
      await clock.advance(15_000)
    }
    await refused
    assert.equal(await accountKeys.open(sealed, 'S:1'), undefined)
  })

  it('waits as well where an earlier call has destroyed the keys, and was interrupted', async () => {
    await accountKeys.seal('secret', 'S:1', ACCOUNT)
    await forget(nothingLives)
    await clock.advance(5_000)
    const forgetting = forget(nothingLives, {})
    await clock.scheduled()
    const late = await new AccountKeys(store, clock).seal('late', 'S:2', ACCOUNT)
    await clock.advance(10_000)
    await clock.scheduled()
    await clock.advance(15_000)
    assert.equal((await forgetting).keys, 2)
    assert.equal(await new AccountKeys(store, clock).open(late, 'S:2'), undefined)
    await clock.advance(15_000)
    assert.equal((await forget(nothingLives, {})).keys, 2) // requests of then have ended: it waits for none
  })

  it('waits no longer than its caller wants, and reports what it has done', async () => {
    await accountKeys.seal('secret', 'S:1', ACCOUNT)
    const controller = new AbortController()
    const forgetting = forget(nothingLives, { signal: controller.signal })
    await clock.scheduled()
    controller.abort()
    assert.equal((await forgetting).keys, 1)
  })

  describe('where somebody has changed what keys are found by', () => {
    const BOB = { issuer: ISSUER, accountId: 'bob' }
    let sealed: { readonly account: typeof ACCOUNT; readonly text: string; readonly id: string }[]

    /** Each is found by the other's names from now on. */
    beforeEach(async () => {
      sealed = []
      for (const account of [ACCOUNT, BOB]) {
        const text = await accountKeys.seal(account.accountId, 'S:1', account)
        sealed.push({ account, text, id: String(dataKeyIn(text)) })
      }
      const records = await store.accountKeys.find(sealed.map(({ id }) => id))
      const [one, other] = records as [AccountKeyRecord, AccountKeyRecord]
      for (const [record, names] of [
        [one, ['nothing']],
        [other, one.names],
        [{ ...one, names: ['nothing'] }, other.names],
      ] as const)
        assert.ok(await store.accountKeys.reseal(record, { sealed: record.sealed ?? '', names }))
    })

    const faults = async (): Promise<string[]> => {
      const found: string[] = []
      await verifyLog({ store, clock }, { onFault: ({ code }) => found.push(code) })
      return found
    }
    const opened = (): Promise<unknown[]> =>
      Promise.all(sealed.map(({ text }) => new AccountKeys(store, clock).open(text, 'S:1')))

    it('nobody else’s key is destroyed, and after rekey() its own', async () => {
      assert.deepEqual(await faults(), ['ACCOUNT_KEY_MISNAMED', 'ACCOUNT_KEY_MISNAMED'])
      await assert.rejects(() => forget(nothingLives), AccountKeyMisnamedError)
      assert.deepEqual(await opened(), ['alice', 'bob'])
      await rekeyLog({ store, clock })
      assert.deepEqual(await faults(), [])
      assert.equal((await forget(nothingLives)).keys, 1)
      assert.deepEqual(await opened(), [undefined, 'bob'])
    })

    it('a name that is not its account’s goes with rekey(), too', async () => {
      await rekeyLog({ store, clock })
      const [bob] = await store.accountKeys.find([String(sealed[1]?.id)])
      const more = [...(bob?.names ?? []), ...accountNames(store.keys, ACCOUNT)]
      assert.ok(bob && (await store.accountKeys.reseal(bob, { sealed: String(bob.sealed), names: more })))
      await assert.rejects(() => forget(nothingLives), AccountKeyMisnamedError)
      assert.deepEqual((await store.accountKeys.find([bob.id]))[0]?.names, more) // it is not retired for that
      await rekeyLog({ store, clock })
      assert.equal((await forget(nothingLives)).keys, 1)
      assert.deepEqual(await opened(), [undefined, 'bob'])
    })

    it('a key of which nobody says whose it is stays, and so does one that no name finds', async () => {
      const find = store.accountKeys.find.bind(store.accountKeys)
      const list = store.accountKeys.list.bind(store.accountKeys)
      const named = store.accountKeys.named.bind(store.accountKeys)
      const changed = (records: AccountKeyRecord[]): AccountKeyRecord[] =>
        records.map((record) => ({ ...record, account: 'x.AAAA' }))
      store.accountKeys.list = async (options) => changed(await list(options))
      assert.deepEqual(await faults(), ['SEAL_BROKEN', 'SEAL_BROKEN'])
      store.accountKeys.list = list
      store.accountKeys.named = async (names) => changed(await named(names))
      await assert.rejects(() => forget(nothingLives), AccountKeyMisnamedError)
      store.accountKeys.named = async () => []
      const stream = String(store.keys.streams('account', 'alice')[0])
      const text = await store.keys.seal(
        'x',
        'S:1',
        store.keys.openDataKey(String(sealed[0]?.id), String((await find([String(sealed[0]?.id)]))[0]?.sealed)),
      )
      await store.append({ events: [{ stream, type: 'stored', data: { sealed: text } }] })
      await assert.rejects(() => forget(nothingLives), AccountKeyMisnamedError)
      assert.deepEqual(await opened(), ['alice', 'bob'])
    })

    it('nothing is sealed with another’s key, which is found by its own names from then on', async () => {
      const [alice, bob] = await Promise.all(
        [ACCOUNT, BOB].map((account) => new AccountKeys(store, clock).seal('more', 'S:2', account)),
      )
      assert.deepEqual(
        [alice, bob].map((text) => dataKeyIn(text ?? '')),
        sealed.map(({ id }) => id),
      )
      assert.deepEqual(await faults(), [])
      assert.equal((await forget(nothingLives)).keys, 1)
      assert.deepEqual(await opened(), [undefined, 'bob'])
    })
  })

  it('a key that is put back is found, and destroyed again', async () => {
    const sealed = await accountKeys.seal('secret', 'S:1', ACCOUNT)
    const id = String(dataKeyIn(sealed))
    const [before] = await store.accountKeys.find([id])
    await forget(nothingLives)
    const find = store.accountKeys.find.bind(store.accountKeys)
    let isBack = true
    store.accountKeys.find = async (ids) => (isBack && ids.includes(id) ? [before as AccountKeyRecord] : find(ids))
    const destroy = store.accountKeys.destroy.bind(store.accountKeys)
    const destroyed: string[] = []
    store.accountKeys.destroy = async (ids, at) => {
      destroyed.push(...ids)
      isBack = false
      await destroy(ids, at)
    }
    const found: Fault[] = []
    await verifyLog({ store, clock }, { onFault: (fault) => found.push(fault) })
    assert.deepEqual(
      found.map(({ code, position }) => [code, position]),
      [['ACCOUNT_KEY_BACK', await store.end()]],
    )
    assert.deepEqual(await destroyAgain(store, { now: 1, dryRun: true }), [id])
    assert.deepEqual(destroyed, [])
    assert.deepEqual(await destroyAgain(store, { now: 1 }), [id])
    assert.deepEqual(destroyed, [id])
    assert.deepEqual(await destroyAgain(store, { now: 1 }), [])
  })

  it('keys that are put back are looked for with a command for 500 accounts, and each once, whatever becomes of it', async () => {
    const put = [...Array(1_200).keys()].map((n) => ({ events: [forgottenEvent(ISSUER, `key ${n}`)] }))
    for (const commit of put) await store.append(commit)
    let finds = 0
    store.accountKeys.find = async (ids) => {
      finds += 1
      return ids.includes('key 7') ? [{ id: 'key 7', names: [], sealed: 'x', usedAt: 1 }] : [] // it stays, whoever destroys it
    }
    assert.deepEqual(await destroyAgain(store, { now: 1 }), ['key 7'])
    assert.equal(finds, 3)
  })

  it('of accounts whose key of the ring is lost, and retired, nobody hears any more', async () => {
    await accountKeys.seal('secret', 'S:1', ACCOUNT)
    const keys = ephemeralKeys()
    const other = { id: 'other', secret: generateSecret() }
    const lost = withKeys(store, { ...keys, sealing: [other] })
    const retired = withKeys(store, { ...keys, sealing: [other], retired: ['ephemeral'] })
    for (const [ring, codes] of [
      [lost, ['KEY_UNKNOWN']],
      [retired, []],
    ] as const) {
      const found: string[] = []
      await verifyLog({ store: ring, clock }, { onFault: ({ code }) => found.push(code) })
      assert.deepEqual(found, codes)
      const { accountKeys: tally, sealing } = await rekeyLog({ store: ring, clock })
      assert.deepEqual([tally.unreadable, Object.keys(sealing)], [1, codes.length > 0 ? ['ephemeral'] : []])
    }
  })

  it('goes by the issuer, and by those that it was before: the same id elsewhere is somebody else', async () => {
    const accounts = ['https://former', '', 'https://other'].map((issuer) => ({ issuer, accountId: 'alice' }))
    const sealed = await Promise.all(accounts.map((account) => accountKeys.seal('secret', 'S:1', account)))
    assert.equal((await forget(async () => 0)).keys, 2)
    const opened = await Promise.all(sealed.map((text) => accountKeys.open(text, 'S:1')))
    assert.deepEqual(opened, [undefined, undefined, 'secret'])
  })

  it('is told once, whoever has crashed between destroying and telling', async () => {
    await accountKeys.seal('secret', 'S:1', ACCOUNT)
    const append = store.append.bind(store)
    store.append = (commit) =>
      commit.events.some(({ type }) => type === 'account.forgotten')
        ? Promise.reject(new Error('killed'))
        : append(commit)
    await assert.rejects(() => forget(async () => 0), /killed/)
    store.append = append
    for (let times = 0; times < 2; times++) assert.equal((await forget(async () => 0)).keys, 1)
    const told = await store.read(forgottenStream(ISSUER))
    assert.deepEqual(
      told.map(({ events, meta }) => [events.map(({ type }) => type), meta.actor]),
      [[['account.forgotten'], 'anna']],
    )
  })

  it('takes away what another process has opened before, also where it has learned of it by another state', async () => {
    const op = eventSourced(store, { clock })
    for (const id of ['one', 'two']) await op.adapter('Profile').upsert(id, { accountId: 'alice' }, 3_600)
    const other = new ModelLog(store, clock)
    const [one, two] = await Promise.all(['one', 'two'].map((id) => other.record('Profile', id)))
    assert.ok(one && two && (await other.open('Profile', one)))
    await forget(async () => 0)
    await clock.advance(600_001) // the other process holds the key for so long
    for (const record of [two, one]) assert.equal(await other.open('Profile', record), undefined)
  })

  it('an account of which nothing is known is none', async () => {
    const calls: boolean[] = []
    assert.deepEqual(await forget(async (dryRun) => calls.push(dryRun) && 0), { keys: 0, ended: 0 })
    assert.deepEqual([calls, await store.end()], [[true], 0])
  })

  it('is refused without an actor, without an account, and before the provider has started', async () => {
    const op = eventSourced(store, { clock })
    await assert.rejects(() => op.forget('alice', { actor: 'anna' }), ProviderUnfitError)
    await assert.rejects(() => op.forget('', { actor: 'anna' }), OptionInvalidError)
    await assert.rejects(() => op.forget('alice', {} as never), /`actor`/)
    await assert.rejects(() => op.forget('alice', { actor: 'a', reason: 'b' } as never), /reason/)
    for (const settleMs of [-1, 0.5, Number.NaN, '1'])
      await assert.rejects(() => op.forget('alice', { actor: 'a', settleMs } as never), OptionInvalidError)
  })

  it('from outside waits two minutes for the OP, and says that it has not done it', async () => {
    const operations = new LogoutOperations({ store, issuer: ISSUER, clock })
    let failure: unknown
    operations.endAccount('alice', { actor: 'anna', dryRun: false }).catch((error: unknown) => {
      failure = error
    })
    await until(() => failure !== undefined, [clock])
    assert.ok(failure instanceof ErasureUnfinishedError)
    assert.match(failure.message, /no process of the OP/)
    assert.ok(clock.now() - 1_000_000 >= 120_000)
  })
})

describe('the keys of accounts that a process holds', () => {
  let store: MemoryEventStore
  let asked: { obtain: number; find: number }
  let followed: boolean
  let keys: AccountKeys
  let clock: FakeClock

  beforeEach(() => {
    clock = new FakeClock()
    store = new MemoryEventStore({ clock })
    asked = { obtain: 0, find: 0 }
    followed = true
    const table = store.accountKeys
    const [obtain, find] = [table.obtain.bind(table), table.find.bind(table)]
    table.obtain = (...given) => {
      asked.obtain += 1
      return obtain(...given)
    }
    table.find = (...given) => {
      asked.find += 1
      return find(...given)
    }
    keys = new AccountKeys(store, clock, () => followed)
  })
  afterEach(() => store.close())

  const seal = (accountId = 'alice'): Promise<string> => keys.seal('x', 'S:1', { issuer: ISSUER, accountId })
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  it('are asked for once while the log is followed, for ten minutes', async () => {
    for (let times = 0; times < 3; times++) {
      await seal()
      await turn()
    }
    assert.equal(asked.obtain, 1)
    await clock.advance(600_001)
    await seal()
    assert.equal(asked.obtain, 2)
  })

  it('are asked for each time while it is not, and once by all who ask in the same turn', async () => {
    followed = false
    for (let times = 1; times <= 2; times++) {
      await Promise.all(Array.from({ length: 1_000 }, () => seal()))
      assert.equal(asked.obtain, times)
      await turn()
    }
  })

  it('are asked for again after a sign-out of the account, also one that comes while the answer is on its way', async () => {
    const signedOut = (accountId: string) => {
      const stream = store.keys.streams('signed_out', `${ISSUER} ${accountId}`)[0]
      keys.seen([{ events: [{ stream, type: 'account.signed_out', data: {} }] } as never])
    }
    await seal()
    await turn()
    signedOut('bob')
    await seal()
    assert.equal(asked.obtain, 1)
    signedOut('alice')
    const asking = seal()
    signedOut('alice')
    await asking
    await turn()
    await seal()
    assert.equal(asked.obtain, 3)
    await turn()
    keys.startOver()
    await seal()
    assert.equal(asked.obtain, 4)
  })

  it('are asked for again where the key was destroyed, also by who has found it there again', async () => {
    const id = String(dataKeyIn(await seal()))
    await turn()
    keys.seen([{ events: [{ stream: 'x', type: 'account.forgotten', data: { keys: ['other'] } }] } as never])
    await seal()
    assert.equal(asked.obtain, 1)
    keys.seen([{ events: [{ stream: 'x', type: 'account.forgotten', data: { keys: [id] } }] } as never])
    await seal()
    assert.equal(asked.obtain, 2)
  })

  it('are asked for again where the log was not followed yet when they were asked for', async () => {
    followed = false
    const asking = seal()
    followed = true // a sign-out that came before that is not told of
    await asking
    await turn()
    for (let times = 0; times < 2; times++) {
      await seal()
      await turn()
    }
    assert.equal(asked.obtain, 2)
  })

  it('are found together, with one command for 500', async () => {
    const sealed = await Promise.all(Array.from({ length: 600 }, (_, n) => seal(`account-${n}`)))
    const other = new AccountKeys(store, clock)
    const opened = await Promise.all(sealed.map((text) => other.open(text, 'S:1')))
    assert.deepEqual(new Set(opened), new Set(['x']))
    assert.equal(asked.find, 2)
  })

  it('one that is missing is no forgotten account: the error says what to restore', async () => {
    const sealed = await seal()
    const [record] = await store.accountKeys.list({ limit: 1 })
    await store.accountKeys.remove([String(record?.id)], Number.MAX_SAFE_INTEGER)
    const other = new AccountKeys(store, clock)
    await assert.rejects(() => other.open(sealed, 'S:1'), { code: 'KEY_UNKNOWN', message: /backup/ })
  })
})
