import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { eventSourced } from '../../lib/index.ts'
import { endEvent, eventOf, revokedEvent } from '../../lib/provider/staged-write.ts'
import { GRANTABLES, newId, sample } from '../contract/provider-adapter/samples.ts'
import { SteeredStore } from '../support/steered-store.ts'

describe('a thing whose stream is longer than a look-up reads', () => {
  let store: SteeredStore
  let adapter: ReturnType<typeof eventSourced>['adapter']

  beforeEach(() => {
    store = new SteeredStore(new MemoryEventStore())
    adapter = eventSourced(store).adapter
  })
  afterEach(() => store.close())

  async function issue(grantId: string): Promise<string> {
    const id = newId()
    await adapter('RefreshToken').upsert(id, sample('RefreshToken', id, { grantId }), 60)
    return id
  }

  it('is a grant that is found after 300 revocations of one model each, or was ended by one of them', async () => {
    const grantId = newId()
    const stored = sample('Grant', grantId)
    await adapter('Grant').upsert(grantId, stored, 60)
    for (let n = 0; n < 300; n++) {
      await adapter(GRANTABLES[n % GRANTABLES.length] ?? '').revokeByGrantId(grantId)
      if (await adapter('Grant').find(grantId)) continue
      const ends = store.commits.filter(({ events }) => events.some(({ type }) => type === 'destroyed'))
      assert.equal(ends.length, 1, `it is not found after ${n + 1} revocations, and nobody ended it`)
      break
    }
    await adapter('Grant').upsert(grantId, stored, 60)
    assert.deepEqual(await adapter('Grant').find(grantId), stored)
    const token = await issue(grantId)
    assert.ok(await adapter('RefreshToken').find(token))
    await adapter('RefreshToken').revokeByGrantId(grantId)
    assert.equal(await adapter('RefreshToken').find(token), undefined)
  })

  it('is a grant that 200 revoke at once at the limit: each counts, and the next one ends it', async () => {
    const grantId = newId()
    const stored = sample('Grant', grantId)
    await adapter('Grant').upsert(grantId, stored, 60)
    for (let n = 0; n < 99; n++) await adapter('RefreshToken').revokeByGrantId(grantId)
    const token = await issue(grantId)
    assert.ok(await adapter('RefreshToken').find(token))
    await Promise.all(Array.from({ length: 200 }, () => adapter('RefreshToken').revokeByGrantId(grantId)))
    assert.equal(await adapter('RefreshToken').find(token), undefined)
    const after = await issue(grantId)
    assert.ok(await adapter('RefreshToken').find(after))
    await adapter('AccessToken').revokeByGrantId(grantId)
    assert.equal(await adapter('Grant').find(grantId), undefined)
    assert.equal(await adapter('RefreshToken').find(after), undefined)
    await adapter('Grant').upsert(grantId, stored, 60)
    assert.deepEqual(await adapter('Grant').find(grantId), stored)
    assert.ok(await adapter('RefreshToken').find(await issue(grantId)))
  })

  for (const late of [15, 16, 17, 200]) {
    it(`lives below ${late} late saves by those who had not seen the end of a former one`, async () => {
      const id = newId()
      const payload = { ...sample('Grant', id), generation: 'new' }
      await adapter('Grant').upsert(id, sample('Grant', id), 60)
      const old = store.commits.at(-1)
      await adapter('Grant').destroy(id)
      for (let n = 0; n < 20; n++) {
        await adapter('Grant').upsert(id, payload, 60)
        await adapter('Grant').destroy(id)
      }
      await adapter('Grant').upsert(id, payload, 60)
      const token = await issue(id)
      for (let n = 0; n < late; n++) await store.append({ events: old?.events ?? [] })
      assert.deepEqual(await adapter('Grant').find(id), payload)
      assert.ok(await adapter('RefreshToken').find(token))
      await adapter('Grant').destroy(id)
      assert.equal(await adapter('Grant').find(id), undefined)
      assert.equal(await adapter('RefreshToken').find(token), undefined)
      await adapter('Grant').upsert(id, payload, 60)
      assert.deepEqual(await adapter('Grant').find(id), payload)
    })

    it(`and was revoked below ${late} late revocations of a former one, counts its own`, async () => {
      const id = newId()
      const names = store.keys.streams('Grant', id)
      await adapter('Grant').upsert(id, sample('Grant', id), 60)
      await adapter('Grant').destroy(id)
      await adapter('Grant').upsert(id, sample('Grant', id), 60)
      const revoked = await issue(id)
      await adapter('RefreshToken').revokeByGrantId(id)
      const token = await issue(id)
      for (let n = 0; n < late; n++) await store.append({ events: [revokedEvent(names, 0, ['RefreshToken'])] })
      assert.equal(await adapter('RefreshToken').find(revoked), undefined)
      assert.ok(await adapter('RefreshToken').find(token))
      await store.append({ events: [endEvent('Grant', names, 0), eventOf(names, 'consumed', { at: 1 }, [])] })
      assert.ok(await adapter('RefreshToken').find(token))
      await adapter('RefreshToken').revokeByGrantId(id)
      assert.equal(await adapter('RefreshToken').find(token), undefined)
    })
  }

  it('stays used, however often it is stored after', async () => {
    const ticket = adapter('Ticket')
    await ticket.upsert('one', { jti: 'one' }, 60)
    await ticket.consume('one')
    for (let n = 0; n < 40; n++) {
      assert.ok((await ticket.find('one'))?.['consumed'], `after ${n} saves`)
      await ticket.upsert('one', { jti: 'one', n }, 60)
    }
    await ticket.destroy('one')
    await ticket.upsert('one', { jti: 'one' }, 60)
    assert.deepEqual(await ticket.find('one'), { jti: 'one' })
    await ticket.consume('one')
    assert.ok((await ticket.find('one'))?.['consumed'])
  })

  for (const count of [100, 10_000]) {
    it(`costs two look-ups after ${count} saves`, async () => {
      const names = store.keys.streams('Ticket', 'one')
      await adapter('Ticket').upsert('one', { jti: 'one' }, 60)
      const [stored] = store.commits
      for (let n = 0; n < count; n++) await store.append({ events: stored?.events ?? [] })
      const reads = store.reads.length
      assert.deepEqual(await adapter('Ticket').find('one'), { jti: 'one' })
      assert.ok(store.reads.length - reads <= 2, `${store.reads.length - reads} look-ups of ${names.join()}`)
    })
  }
})
