import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type Mounting, mountings } from '../support/mountings.ts'
import { listen, type Op, Person, startOp, testClient } from '../support/op.ts'
import { SteeredStore } from '../support/steered-store.ts'

const PATH = '/below/oidc'

for (const [way, mounting] of Object.entries(mountings)) {
  describe(`a provider that is mounted below a path (${way})`, () => {
    const at = mountedOp(mounting)

    it('logs people in, and out', async () => {
      const person = new Person(at.op)
      assert.ok((await person.authorize('rp')).get('code'))
      const answer = await person.logout()
      assert.match(answer.headers.get('location') ?? '', /\/below\/oidc\/session\/end\/success/)
    })

    for (const [method, status] of [
      ['GET', 303],
      ['POST', 307],
    ] as const) {
      it(`has a request whose session changed repeated at its own address (${method}, ${status})`, async () => {
        const person = new Person(at.op)
        await person.authorize('rp')
        await person.authorize('rp-two')
        const url = new URL(person.authorizationUrl('rp-two'))
        const form = new URLSearchParams(url.search)
        // Another tab logs in again meanwhile: the session's id rotates.
        at.store.beforeRead = async (streams) => {
          if (!streams.some((stream) => stream.startsWith('Grant:'))) return // the session has not been read yet
          at.store.beforeRead = undefined
          await person.authorize('rp', { prompt: 'login' })
        }
        const answer =
          method === 'GET'
            ? await person.agent.get(url.href)
            : await person.agent.send('POST', `${at.op.issuer}/auth`, form)
        assert.equal(at.store.beforeRead, undefined)
        assert.equal(answer.status, status)
        const location = new URL(answer.headers.get('location') ?? '', answer.url).href
        assert.equal(location, method === 'GET' ? url.href : `${at.op.issuer}/auth`)
        const again = await person.agent.send(method, location, ...(method === 'POST' ? [form] : []))
        assert.equal(again.status, 303)
        assert.match(again.headers.get('location') ?? '', /^https:\/\/rp\.example\.com\/cb\?code=/)
      })
    }
  })
}

/** A mounted OP on a store that the test steers, anew for each test. */
function mountedOp(mounting: Mounting): { readonly op: Op; readonly store: SteeredStore } {
  let running: { op: Op; store: SteeredStore; server: Server; unmount: () => Promise<void> } | undefined
  beforeEach('mount an OP', async () => {
    const store = new SteeredStore(new MemoryEventStore())
    const server = createServer()
    const issuer = `http://127.0.0.1:${await listen(server, 0)}${PATH}`
    const op = await startOp(store, {
      issuer,
      clients: [testClient('rp'), testClient('rp-two')],
      configuration: { enableHttpPostMethods: true, cookies: { keys: ['key'], long: { sameSite: 'none' } } },
    })
    running = { op, store, server, unmount: await mounting(op.provider, PATH, server) }
  })
  afterEach('stop it', async () => {
    if (!running) return
    const { op, store, server, unmount } = running
    running = undefined
    await op.stop()
    server.closeAllConnections()
    await unmount()
    await new Promise((resolve) => server.close(resolve))
    await store.close()
  })
  const need = (): NonNullable<typeof running> => {
    assert.ok(running)
    return running
  }
  return {
    get op() {
      return need().op
    },
    get store() {
      return need().store
    },
  }
}
