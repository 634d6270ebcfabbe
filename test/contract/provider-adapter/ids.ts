import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Payload } from '../../../lib/index.ts'
import { anyCharacter } from '../../support/any-character.ts'
import { type Capabilities, forEachCaller, type MakeLog } from './adapter-under-test.ts'
import { MODELS, newId, sample } from './samples.ts'

/** What databases and objects trip over, and anything else that Unicode has. */
const text = fc.oneof(
  fc.string({ unit: anyCharacter, minLength: 1, maxLength: 40 }),
  fc.constantFrom(
    'a.b',
    '$where',
    'a.$b.c',
    '.',
    '__proto__',
    'constructor',
    'a:b',
    'a#consumed',
    'a@b',
    'e\u0301',
    '\u00e9',
  ),
)

export function idsContract(makeLog: MakeLog, { propertyRuns }: Capabilities): void {
  forEachCaller('ids of any text', makeLog, (caller) => {
    it('name one thing each, in each model', async () => {
      const known = new Map<string, Payload>()
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...MODELS), text, async (model, id) => {
          // A uid of its own, but for that the id is all that tells them apart.
          const payload = known.get(`${model} ${id}`) ?? sample(model, id)
          known.set(`${model} ${id}`, payload)
          await caller.run(async (adapter) => {
            await adapter(model).find(id)
            await adapter(model).upsert(id, payload, 60)
          })
          assert.deepEqual(await caller.run((adapter) => adapter(model).find(id)), payload)
        }),
        { numRuns: propertyRuns },
      )
      const found = await Promise.all(
        [...known].map(([key]) => {
          const space = key.indexOf(' ')
          return caller.run((adapter) => adapter(key.slice(0, space)).find(key.slice(space + 1)))
        }),
      )
      assert.deepEqual(found, [...known.values()])
    })

    it('find sessions by uid and device codes by user code', async () => {
      await fc.assert(
        fc.asyncProperty(text, text, async (a, b) => {
          const [uid, userCode, id] = [`${newId()}${a}`, `${newId()}${b}`, newId()]
          await caller.run(async (adapter) => {
            await adapter('Session').upsert(id, sample('Session', id, { uid }), 60)
            await adapter('DeviceCode').upsert(id, sample('DeviceCode', id, { userCode }), 60)
          })
          await caller.run(async (adapter) => {
            assert.equal((await adapter('Session').findByUid(uid))?.['uid'], uid)
            assert.equal((await adapter('DeviceCode').findByUserCode(userCode))?.['userCode'], userCode)
          })
        }),
        { numRuns: propertyRuns },
      )
    })

    it('name the clients of a session, a grant and a token', async () => {
      await fc.assert(
        fc.asyncProperty(text, async (clientId) => {
          const id = newId()
          // JSON.parse, since `__proto__` in a literal is no key.
          const authorizations = JSON.parse(`{${JSON.stringify(clientId)}:{"sid":"s"}}`) as Payload
          const session = sample('Session', id, { authorizations })
          const token = sample('AccessToken', id, { clientId, grantId: clientId })
          await caller.run(async (adapter) => {
            await adapter('Session').upsert(id, session, 60)
            await adapter('AccessToken').upsert(id, token, 60)
          })
          assert.deepEqual(await caller.run((adapter) => adapter('Session').find(id)), session)
          assert.deepEqual(await caller.run((adapter) => adapter('AccessToken').find(id)), token)
        }),
        { numRuns: propertyRuns },
      )
    })
  })

  forEachCaller('payloads of any JSON', makeLog, (caller) => {
    it('come back deep-equal', async () => {
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...MODELS), fc.jsonValue(), async (model, any) => {
          const id = newId()
          const payload = JSON.parse(JSON.stringify(sample(model, id, { any }))) as Payload
          await caller.run((adapter) => adapter(model).upsert(id, payload, 60))
          assert.deepEqual(await caller.run((adapter) => adapter(model).find(id)), payload)
        }),
        { numRuns: propertyRuns },
      )
    })
  })
}
