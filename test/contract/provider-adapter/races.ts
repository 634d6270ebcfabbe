import assert from 'node:assert/strict'
import type { AdapterFactory, Payload } from '../../../lib/index.ts'
import { ModelAdapter } from '../../../lib/provider/adapter.ts'
import { barrier, eventNames, SteeredStore } from '../../support/steered-store.ts'
import {
  alone,
  attached,
  type Caller,
  forEachCaller,
  IN_REQUESTS,
  inRequests,
  type MakeLog,
  openedStore,
  Refused,
} from './adapter-under-test.ts'
import { revokeAll } from './grants.ts'
import { CONSUMABLES, newId, sample } from './samples.ts'

export function racesContract(makeLog: MakeLog): void {
  describe('what one request uses up and ends', () => {
    const opened = openedStore(makeLog)

    it('is refused as what was lost, not as the proof that was shown with it', async () => {
      const caller = inRequests(opened.store)
      const [code, proof] = [newId(), newId()]
      await caller.run((adapter) => adapter('AuthorizationCode').upsert(code, sample('AuthorizationCode', code), 60))
      const lost = caller.run(async (adapter) => {
        await adapter('ReplayDetection').upsert(proof, sample('ReplayDetection', proof), 60)
        await adapter('AuthorizationCode').find(code)
        await caller.run((other) => other('AuthorizationCode').consume(code))
        await adapter('AuthorizationCode').consume(code)
      })
      await assert.rejects(lost, { status: 400, error: 'invalid_grant' })
    })

    for (const [what, again] of [
      ['', false],
      [', and stores again', true],
    ] as const) {
      it(`${again ? 'and stores again ' : ''}is used by no other, and what comes back is used once`, async () => {
        const caller = inRequests(opened.store)
        const id = newId()
        const payload = sample('DeviceCode', id)
        await caller.run((adapter) => adapter('DeviceCode').upsert(id, payload, 60))
        const use = () =>
          caller.run(async (adapter) => {
            await adapter('DeviceCode').find(id)
            await adapter('DeviceCode').consume(id)
          })
        await assert.rejects(
          caller.run(async (adapter) => {
            await adapter('DeviceCode').find(id)
            await adapter('DeviceCode').consume(id)
            await adapter('DeviceCode').destroy(id)
            if (again) await adapter('DeviceCode').upsert(id, payload, 60)
            await use()
          }),
          Refused,
          `it was used twice${what}`,
        )
        const other = newId()
        const stored = sample('DeviceCode', other)
        await caller.run((adapter) => adapter('DeviceCode').upsert(other, stored, 60))
        await caller.run(async (adapter) => {
          await adapter('DeviceCode').consume(other)
          await adapter('DeviceCode').destroy(other)
          if (again) await adapter('DeviceCode').upsert(other, stored, 60)
        })
        const found = () => alone(opened.store).run((adapter) => adapter('DeviceCode').find(other))
        if (!again) {
          assert.equal(await found(), undefined)
          await alone(opened.store).run((adapter) => adapter('DeviceCode').upsert(other, stored, 60))
        }
        assert.deepEqual(await found(), stored)
        await alone(opened.store).run((adapter) => adapter('DeviceCode').consume(other))
        assert.equal(typeof (await found())?.['consumed'], 'number')
      })
    }
  })

  forEachCaller('32 that want to use the same', makeLog, (caller, opened) => {
    for (const model of CONSUMABLES) {
      it(`${model}: one can`, async () => {
        const id = newId()
        await caller.run((adapter) => adapter(model).upsert(id, sample(model, id), 60))
        opened.store.beforeAppend = barrier(32)
        const all = Array.from({ length: 32 }, () => caller.run((adapter) => adapter(model).consume(id)))
        const results = await Promise.allSettled(all)
        assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
        for (const result of results) if (result.status === 'rejected') assert.ok(result.reason instanceof Refused)
      })
    }

    it('ReplayDetection: one is the first to show it', async () => {
      const id = newId()
      opened.store.beforeAppend = barrier(32)
      const all = Array.from({ length: 32 }, () =>
        caller.run((adapter) => adapter('ReplayDetection').upsert(id, sample('ReplayDetection', id), 60)),
      )
      const results = await Promise.allSettled(all)
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    })
  })

  describe('a client that somebody changes', () => {
    const opened = openedStore(makeLog)
    const clients = (store: SteeredStore = opened.store): ModelAdapter => {
      const adapter = attached(store).op.adapter('Client')
      assert.ok(adapter instanceof ModelAdapter)
      return adapter
    }
    const stored = async (): Promise<{ id: string; before: Payload }> => {
      const id = newId()
      await clients().upsert(id, sample('Client', id))
      const before = await clients().find(id)
      assert.ok(before)
      return { id, before }
    }

    it('is stored over what was read, and over nothing else', async () => {
      const { id, before } = await stored()
      const after = { ...before, client_name: 'after' }
      assert.equal(await clients().replace(id, before, after), true)
      assert.deepEqual(await clients().find(id), after)
      assert.equal(await clients().replace(id, before, { ...before, client_name: 'late' }), false)
      assert.deepEqual(await clients().find(id), after)
      await clients().destroy(id)
      assert.equal(await clients().replace(id, after, before), false)
      assert.equal(await clients().find(id), undefined)
      await clients().upsert(id, before)
      assert.equal(await clients().replace(id, before, after), true)
      assert.deepEqual(await clients().find(id), after)
    })

    for (const [what, change] of [
      ['changes', (id: string, before: Payload) => clients().upsert(id, { ...before, client_name: 'meanwhile' })],
      ['repeats', (id: string, before: Payload) => clients().upsert(id, before)],
      ['removes', (id: string) => clients().destroy(id)],
      [
        'removes and stores',
        async (id: string, before: Payload) => {
          await clients().destroy(id)
          await clients().upsert(id, before)
        },
      ],
    ] as const) {
      it(`is left alone where another process ${what} it after the last read`, async () => {
        const { id, before } = await stored()
        const other = new SteeredStore(opened.store)
        let meanwhile: Payload | undefined
        other.beforeAppend = async () => {
          other.beforeAppend = undefined
          await change(id, before)
          meanwhile = await clients().find(id)
        }
        assert.equal(await clients(other).replace(id, before, { ...before, client_name: 'lost' }), false)
        assert.deepEqual(await clients().find(id), meanwhile)
        assert.notEqual(meanwhile?.['client_name'], 'lost')
      })
    }

    it('can be stored and changed after a commit that has left it as it was', async () => {
      const id = newId()
      await inRequests(opened.store).run(async (adapter) => {
        await adapter('Client').upsert(id, sample('Client', id))
        await adapter('Client').destroy(id)
        await adapter('Interaction').upsert(newId(), sample('Interaction', newId()), 60)
      })
      await clients().upsert(id, sample('Client', id))
      await clients().consume(id)
      const before = await clients().find(id)
      assert.ok(before)
      const after = { ...before, client_name: 'after' }
      assert.equal(await clients().replace(id, before, after), true)
      assert.deepEqual(await clients().find(id), after)
    })
  })

  forEachCaller('32 that store a client without a word of what was there', makeLog, (caller, inner) => {
    it('are all served, each after at most one lost race: the last one counts', async () => {
      const { store } = inner
      const id = newId()
      await caller.run((adapter) => adapter('Client').upsert(id, sample('Client', id)))
      let appends = 0
      store.beforeAppend = () => {
        appends += 1
      }
      const all = Array.from({ length: 32 }, (_, n) =>
        caller.run((adapter) => adapter('Client').upsert(id, sample('Client', id, { client_name: `${n}` }))),
      )
      await Promise.all(all)
      store.beforeAppend = undefined
      assert.ok(appends <= 2 * all.length, `${appends} appends for ${all.length} commits`)
      const last = store.commits.at(-1)?.id
      const found = await caller.run((adapter) => adapter('Client').find(id))
      assert.match(String(found?.['client_name']), /^\d+$/)
      assert.equal((await store.readStreams(store.keys.streams('Client', id))).at(-1)?.id, last)
    })

    it('are all served where each is another process', async () => {
      const { store } = inner
      const id = newId()
      await caller.run((adapter) => adapter('Client').upsert(id, sample('Client', id)))
      const together = barrier(8)
      const all = Array.from({ length: 8 }, (_, n) => {
        const process = new SteeredStore(store)
        process.beforeAppend = together
        const make = caller.name === IN_REQUESTS ? inRequests : alone
        return make(process).run((adapter) =>
          adapter('Client').upsert(id, sample('Client', id, { client_name: `${n}` })),
        )
      })
      await Promise.all(all)
      assert.equal((await store.readStreams(store.keys.streams('Client', id))).length, 9)
    })

    it('and one that removes it: it is gone', async () => {
      const { store } = inner
      const id = newId()
      await caller.run((adapter) => adapter('Client').upsert(id, sample('Client', id)))
      const other = new SteeredStore(store)
      other.beforeAppend = async () => {
        other.beforeAppend = undefined
        await caller.run((adapter) => adapter('Client').destroy(id))
      }
      await alone(other).run((adapter) => adapter('Client').upsert(id, sample('Client', id)))
      assert.equal(await caller.run((adapter) => adapter('Client').find(id)), undefined)
    })
  })

  describe('a client that is removed and stored again while somebody writes over the one before', () => {
    const opened = openedStore(makeLog)

    for (const [what, write] of [
      ['stores', (adapter: AdapterFactory, id: string) => adapter('Client').upsert(id, sample('Client', id))],
      ['removes', (adapter: AdapterFactory, id: string) => adapter('Client').destroy(id)],
      ['moves in', (_: AdapterFactory, id: string) => attached(slow()).op.mover.take('Client', id, { client_id: id })],
    ] as const) {
      it(`is left as it is by who ${what} it too late, and can be changed and removed`, async () => {
        const id = newId()
        const clients = attached(opened.store).op.adapter('Client')
        assert.ok(clients instanceof ModelAdapter)
        if (what === 'moves in') await attached(opened.store).op.mover.take('Client', id, { client_id: id, moved: 1 })
        else await clients.upsert(id, sample('Client', id))
        const again = sample('Client', id, { client_name: 'again' })
        meanwhile = async () => {
          if (what !== 'moves in') await clients.destroy(id)
          await clients.upsert(id, again)
        }
        await alone(slow()).run<unknown>((adapter) => write(adapter, id))
        assert.deepEqual(await clients.find(id), again)
        const changed = { ...again, client_name: 'changed' }
        assert.equal(await clients.replace(id, again, changed), true)
        assert.deepEqual(await clients.find(id), changed)
        await clients.upsert(id, again)
        assert.deepEqual(await clients.find(id), again)
        await clients.destroy(id)
        assert.equal(await clients.find(id), undefined)
      })
    }

    let meanwhile = async (): Promise<void> => undefined
    const slow = (): SteeredStore => {
      const other = new SteeredStore(opened.store)
      other.beforeAppend = () => {
        other.beforeAppend = undefined
        return meanwhile()
      }
      return other
    }
  })

  describe('a revocation and an exchange at the same moment', () => {
    const opened = openedStore(makeLog)

    for (const first of ['exchange', 'revocation'] as const) {
      it(`leave no token alive when the ${first} commits first`, async () => {
        const race = await startedRace(opened.store)
        const exchange = race.exchange(first === 'exchange')
        const revocation = race.revocation(first === 'revocation')
        const won = await exchange
        await revocation
        assert.equal(won, true) // nobody has to lose: what the slower one has issued is born dead
        await race.assertNothingLives()
      })
    }

    it('leave no token alive, whoever is faster', async () => {
      for (let n = 0; n < 8; n++) {
        const race = await startedRace(opened.store)
        await Promise.all([race.exchange(n % 2 === 0), race.revocation(n % 2 === 1)])
        await race.assertNothingLives()
      }
    })

    it('leave no token alive when each write is a commit of its own and the exchange was first', async () => {
      const caller = alone(opened.store)
      const [code, token, grantId] = [newId(), newId(), newId()]
      await caller.run((adapter) =>
        adapter('AuthorizationCode').upsert(code, sample('AuthorizationCode', code, { grantId }), 60),
      )
      await caller.run((adapter) => adapter('AuthorizationCode').consume(code))
      await caller.run((adapter) => adapter('AccessToken').upsert(token, sample('AccessToken', token, { grantId }), 60))
      await caller.run((adapter) => revokeAll(adapter, grantId))
      assert.equal(await caller.run((adapter) => adapter('AccessToken').find(token)), undefined)
    })
  })
}

interface Race {
  /** Whether it won. Goes first, or commits once the other has. */
  exchange(first: boolean): Promise<boolean>
  revocation(first: boolean): Promise<boolean>
  assertNothingLives(): Promise<void>
}

/** A code, and two requests that have read all they want before either of them commits. */
async function startedRace(store: SteeredStore): Promise<Race> {
  const [code, grantId] = [newId(), newId()]
  const [access, refresh] = [newId(), newId()]
  await alone(store).run((adapter) =>
    adapter('AuthorizationCode').upsert(code, sample('AuthorizationCode', code, { grantId }), 60),
  )
  const bothRead = barrier(2)
  let done = (): void => {}
  const firstDone = new Promise<void>((resolve) => {
    done = resolve
  })
  const request = async (first: boolean, calls: (adapter: AdapterFactory) => Promise<void>): Promise<boolean> => {
    const steered = new SteeredStore(store)
    steered.beforeAppend = async () => {
      await bothRead()
      if (!first) await firstDone
    }
    const caller: Caller = inRequests(steered)
    try {
      await caller.run(calls)
      return true
    } catch (error) {
      assert.deepEqual(error, new Refused(400, 'invalid_grant'))
      return false
    } finally {
      if (first) done()
    }
  }
  return {
    exchange: (first) =>
      request(first, async (adapter) => {
        const found = await adapter('AuthorizationCode').find(code)
        assert.ok(found && found['consumed'] === undefined)
        await adapter('AuthorizationCode').consume(code)
        await adapter('AccessToken').upsert(access, sample('AccessToken', access, { grantId }), 60)
        await adapter('RefreshToken').upsert(refresh, sample('RefreshToken', refresh, { grantId }), 60)
      }),
    revocation: (first) => request(first, (adapter) => revokeAll(adapter, grantId)),
    async assertNothingLives() {
      const left = await inRequests(store).run((adapter) =>
        Promise.all([
          adapter('AuthorizationCode').find(code),
          adapter('AccessToken').find(access),
          adapter('RefreshToken').find(refresh),
        ]),
      )
      assert.deepEqual(
        left,
        [undefined, undefined, undefined],
        eventNames(store.commits.at(-1) ?? { events: [] }).join(),
      )
    },
  }
}
