import assert from 'node:assert/strict'
import type { Payload } from '../../../lib/index.ts'
import type { ModelName } from '../../../lib/provider/models.ts'
import { alone, type Caller, forEachCaller, IN_REQUESTS, type MakeLog, Refused } from './adapter-under-test.ts'
import { CONSUMABLES, MODELS, newId, sample } from './samples.ts'

export function modelsContract(makeLog: MakeLog): void {
  forEachCaller('a model', makeLog, (caller, opened) => {
    const otherRequest = (model: ModelName, id: string): Promise<void> =>
      alone(opened.store).run((adapter) => adapter(model).destroy(id))

    for (const model of MODELS) {
      describe(model, () => {
        it('comes back as it was stored, and was not there before', async () => {
          const id = newId()
          assert.equal(await find(caller, model, id), undefined)
          const payload = await stored(caller, model, id)
          assert.deepEqual(await find(caller, model, id), payload)
          assert.equal(await find(caller, model, newId()), undefined)
        })

        it('is replaced by what is stored later', async () => {
          const id = newId()
          const payload = await stored(caller, model, id)
          const later = { ...payload, added: { deep: [1, 'two', null] } }
          await replace(caller, model, id, later)
          assert.deepEqual(await find(caller, model, id), later)
        })

        it('is nobody else’s object: who changes what was given or found changes nothing', async () => {
          const id = newId()
          const payload = sample(model, id, { nested: { list: ['one'] } })
          const given = structuredClone(payload) as { nested: { list: string[] } }
          await caller.run(async (adapter) => {
            await adapter(model).upsert(id, given as never, 60)
            given.nested.list.push('two')
            const found = (await adapter(model).find(id)) as typeof given | undefined
            found?.nested.list.push('three')
          })
          assert.deepEqual(await find(caller, model, id), payload)
        })

        it('stays readable when it has expired: the provider judges that itself', async () => {
          const id = newId()
          const payload = sample(model, id, { exp: 1_000_000_000 })
          await caller.run((adapter) => adapter(model).upsert(id, payload, -1))
          assert.deepEqual(await find(caller, model, id), payload)
        })

        it('is gone once it is destroyed, which may be done again', async () => {
          const id = newId()
          await stored(caller, model, id)
          await caller.run((adapter) => adapter(model).destroy(id))
          assert.equal(await find(caller, model, id), undefined)
          await caller.run((adapter) => adapter(model).destroy(id))
          assert.equal(await find(caller, model, id), undefined)
        })

        it('is none when one that never was is destroyed', async () => {
          const id = newId()
          await caller.run((adapter) => adapter(model).destroy(id))
          assert.equal(await find(caller, model, id), undefined)
        })

        it('stays gone when a request saves it late that has read it before', async () => {
          const id = newId()
          const payload = await stored(caller, model, id)
          const late = caller.run(async (adapter) => {
            await adapter(model).find(id)
            await otherRequest(model, id)
            await adapter(model).upsert(id, payload, 60)
          })
          await unlessRefused(late)
          // Application code looks anew with each call: it has seen the end, and brings the thing back.
          if (caller.name === IN_REQUESTS || staysGone(model)) assert.equal(await find(caller, model, id), undefined)
          else assert.deepEqual(await find(caller, model, id), payload)
        })

        if (!staysGone(model)) {
          it('comes back when somebody stores it who has seen its end, and ends again', async () => {
            const id = newId()
            for (const n of [1, 2, 3]) {
              const payload = sample(model, id, { n })
              await replace(caller, model, id, payload)
              assert.deepEqual(await find(caller, model, id), payload)
              await caller.run((adapter) => adapter(model).destroy(id))
              assert.equal(await find(caller, model, id), undefined)
            }
          })
        }
      })
    }
  })

  forEachCaller('what is used once', makeLog, (caller) => {
    for (const model of CONSUMABLES) {
      describe(model, () => {
        it('says when it was used, in seconds', async () => {
          const id = newId()
          const payload = await stored(caller, model, id)
          const from = Math.floor(Date.now() / 1000)
          await caller.run((adapter) => adapter(model).consume(id))
          const consumed = (await find(caller, model, id))?.['consumed']
          assert.ok(typeof consumed === 'number' && consumed >= from && consumed <= Date.now() / 1000)
          assert.deepEqual(await find(caller, model, id), { ...payload, consumed })
        })

        it('stays used whatever is stored later', async () => {
          const id = newId()
          const payload = await stored(caller, model, id)
          await caller.run((adapter) => adapter(model).consume(id))
          const consumed = (await find(caller, model, id))?.['consumed']
          assert.equal(typeof consumed, 'number')
          for (const n of [1, 2, 3]) {
            await caller.run((adapter) => adapter(model).upsert(id, { ...payload, n }, 60))
            assert.deepEqual(await find(caller, model, id), { ...payload, n, consumed })
          }
        })

        it('cannot be used again', async () => {
          const id = newId()
          await stored(caller, model, id)
          await caller.run((adapter) => adapter(model).consume(id))
          await assert.rejects(
            caller.run((adapter) => adapter(model).consume(id)),
            Refused,
          )
        })

        it('is gone when it was used and then destroyed', async () => {
          const id = newId()
          await stored(caller, model, id)
          await caller.run((adapter) => adapter(model).consume(id))
          await caller.run((adapter) => adapter(model).destroy(id))
          assert.equal(await find(caller, model, id), undefined)
        })
      })
    }
  })
}

/** An ended session never comes back, and a proof that was shown is spent. */
function staysGone(model: ModelName): boolean {
  return model === 'Session' || model === 'ReplayDetection'
}

async function stored(caller: Caller, model: ModelName, id: string): Promise<Payload> {
  const payload = sample(model, id)
  await caller.run((adapter) => adapter(model).upsert(id, payload, 60))
  return payload
}

function find(caller: Caller, model: ModelName, id: string): Promise<Payload | undefined> {
  return caller.run((adapter) => adapter(model).find(id))
}

/** As the provider does: it saves what it has found. */
function replace(caller: Caller, model: ModelName, id: string, payload: Payload): Promise<void> {
  return caller.run(async (adapter) => {
    await adapter(model).find(id)
    await adapter(model).upsert(id, payload, 60)
  })
}

/** Whether it takes no effect or is refused is not the matter here. */
async function unlessRefused(call: Promise<void>): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof Refused)) throw error
  }
}
