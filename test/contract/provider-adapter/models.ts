import assert from 'node:assert/strict'
import type { Payload } from '../../../lib/index.ts'
import type { ModelName } from '../../../lib/provider/models.ts'
import { type Caller, forEachCaller, type MakeLog, Refused } from './adapter-under-test.ts'
import { CONSUMABLES, MODELS, newId, sample } from './samples.ts'

export function modelsContract(makeLog: MakeLog): void {
  forEachCaller('a model', makeLog, (caller) => {
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

        if (model === 'Client') {
          it('comes back when its id, which people choose, is registered again', async () => {
            const id = newId()
            await stored(caller, model, id)
            await caller.run((adapter) => adapter(model).destroy(id))
            const again = await stored(caller, model, id)
            assert.deepEqual(await find(caller, model, id), again)
          })
        } else {
          it('stays gone when somebody saves it late', async () => {
            const id = newId()
            const payload = await stored(caller, model, id)
            await caller.run((adapter) => adapter(model).destroy(id))
            for (const _ of [1, 2, 3]) {
              await unlessRefused(caller.run((adapter) => adapter(model).upsert(id, payload, 60)))
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
