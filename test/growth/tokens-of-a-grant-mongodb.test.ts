import assert from 'node:assert/strict'
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys } from '../../lib/index.ts'
import { type BackChannelLogout, backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'
import { eventNames, SteeredStore } from '../support/steered-store.ts'

const RP = testClient('rp', { backchannel_logout_uri: 'https://rp.example.com/logout' })
const OFFLINE = { scope: 'openid offline_access', prompt: 'consent' }

/** The bounds, whatever was issued under the grant. */
const MAX_BYTES = 4_096
const MAX_COMMANDS = 12

describe('what ends a grant, by how much was issued under it', () => {
  const mongo = privateDatabase()
  let client: MongoClient
  let store: SteeredStore
  let op: Op
  let logout: BackChannelLogout
  let commands: string[] = []

  before(async () => {
    client = await MongoClient.connect(mongo.uri, { monitorCommands: true })
    client.on('commandStarted', ({ commandName, command }) => {
      // Not those who follow the log, at their own pace: they read by position.
      const isOfARequest = commandName === 'find' ? 's' in command['filter'] : commandName === 'insert'
      if (command[commandName] === 'events' && isOfARequest) commands.push(commandName)
    })
    store = new SteeredStore(await MongoEventStore.open(client.db(mongo.name), { keys: ephemeralKeys() }))
    const nowhere = { post: async () => ({ kind: 'answered' as const, status: 200, body: '' }), close: async () => {} }
    logout = backChannelLogout({ network: nowhere })
    op = await startOp(store, { clients: [RP], plugins: [logout] })
  })
  after(async () => {
    await op.stop()
    await store.close()
    await client.close()
  })

  /** Somebody whose RP has refreshed its tokens so often. */
  async function refreshed(times: number): Promise<{ person: Person; first: string; newest: string }> {
    const person = new Person(op)
    const rp = new Client(op, RP)
    const { body } = await rp.exchange((await person.authorize('rp', { ...OFFLINE, login: newId() })).get('code') ?? '')
    const first = String(body['refresh_token'])
    const newest = String((await rp.refresh(first)).body['refresh_token'])
    const { grantId } = (await op.provider.RefreshToken.find(newest)) ?? {}
    for (let n = 0; n < times; n += 500) {
      const some = Array.from({ length: Math.min(500, times - n) }, newId)
      await Promise.all(
        some.map((id) => op.eventSourced.adapter('RefreshToken').upsert(id, sample('RefreshToken', id, { grantId }))),
      )
    }
    return { person, first, newest }
  }

  const ways = {
    'reuse detection': async ({ first }) => {
      assert.equal((await new Client(op, RP).refresh(first)).body['error'], 'invalid_grant')
    },
    'the revocation of a token': async ({ newest }) => {
      assert.equal((await new Client(op, RP).revoke(newest)).status, 200)
    },
    'terminateAccount()': async ({ person }) => {
      const session = await op.provider.Session.find(String(person.agent.cookie('_session')))
      const { grants } = await logout.terminateAccount(String(session?.accountId), {
        actor: 'test',
        reason: 'account_disabled',
      })
      assert.equal(grants, 1)
    },
  } satisfies Record<string, (of: { person: Person; first: string; newest: string }) => Promise<void>>

  for (const [way, end] of Object.entries(ways)) {
    it(`${way} is one commit under 4 KB and ${MAX_COMMANDS} commands, for 1, 100 and 10,000 tokens`, async () => {
      const costs: { readonly commands: number; readonly bytes: number; readonly events: number }[] = []
      for (const times of [1, 100, 10_000]) {
        const given = await refreshed(times)
        const before = store.commits.length
        commands = []
        await end(given)
        const used = commands.length
        const ending = store.commits.slice(before).filter((commit) => eventNames(commit).includes('Grant destroyed'))
        assert.equal(ending.length, 1)
        const bytes = JSON.stringify(ending[0]).length
        assert.ok(bytes < MAX_BYTES, `${times} tokens: ${bytes} bytes`)
        if (way !== 'terminateAccount()') assert.ok(used <= MAX_COMMANDS, `${times} tokens: ${used} commands`)
        costs.push({ commands: used, bytes, events: ending[0]?.events.length ?? 0 })
        const answer = await new Client(op, RP).refresh(given.newest)
        assert.equal(answer.body['error'], 'invalid_grant', 'the newest token is dead')
      }
      assert.equal(new Set(costs.map(({ events }) => events)).size, 1)
    })
  }

  it('a logout that takes offline grants along is one commit under 4 KB, and a look at a token reads as much as ever, for 1 and 10,000 tokens', async () => {
    for (const times of [1, 10_000]) {
      const { person, newest } = await refreshed(times)
      const looked = store.reads.length
      assert.equal((await new Client(op, RP).introspect(newest)).body['active'], true)
      assert.ok(store.reads.length - looked <= 3, `${store.reads.length - looked} reads`)
      const session = await op.provider.Session.find(String(person.agent.cookie('_session')))
      assert.ok(session)
      const authorization: { persistsLogout?: boolean | undefined } = session.authorizationFor('rp')
      delete authorization.persistsLogout
      await session.persist()
      const before = store.commits.length
      assert.equal((await person.logout()).status, 303)
      const [ending] = store.commits.slice(before).filter((commit) => eventNames(commit).includes('Grant destroyed'))
      assert.ok(ending && JSON.stringify(ending).length < MAX_BYTES)
      assert.equal((await new Client(op, RP).refresh(newest)).body['error'], 'invalid_grant')
    }
  })
})
