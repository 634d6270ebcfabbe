import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ApiErrorBody, OperationsAnswer } from '../../plugins/admin-console/api/contract.ts'
import { ROUTES } from '../../plugins/admin-console/api/routes.ts'
import { ConsoleScene, NOBODY, OLGA, VERA } from '../support/console-scene.ts'
import { Person } from '../support/op.ts'

/** Routes that keep what is asked out of URLs, and change nothing. */
const LOOKS = ['POST /explain']

const ALL = Object.entries(ROUTES).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => ({ path, method })),
)

describe('a viewer', () => {
  let scene: ConsoleScene<'shop'>
  before(async () => {
    scene = await ConsoleScene.start({ shop: {} })
    await new Person(scene.scene.op).authorize('shop')
    await scene.scene.quiet()
  })
  after(() => scene.stop())

  it('may call what only looks, and nothing that changes anything', async () => {
    for (const { path, method } of ALL) {
      const isLook = method === 'GET' || LOOKS.includes(`${method} ${path}`)
      assert.equal(ROUTES[path]?.[method as 'GET']?.role, isLook ? 'viewer' : 'operator', `${method} ${path}`)
      if (path === '/live') continue
      const answer = await scene.ask<ApiErrorBody>(method, path, VERA, method === 'GET' ? undefined : {})
      if (isLook) assert.notEqual(answer.status, 403, path)
      else assert.equal(answer.body.error.code, 'ROLE_INSUFFICIENT', `${method} ${path}`)
    }
  })

  it('changes nothing, whatever is asked and sent', async () => {
    const uids = (await scene.scene.logout.pages.sessions({ all: true })).items.map(({ uid }) => uid)
    assert.equal(uids.length, 1)
    const paths = Object.keys(ROUTES).filter((path) => path !== '/live')
    const words = fc.constantFrom('shop', 'alice', 'back_channel_logout', 'instance', 'admin', ...uids)
    const values = fc.oneof(words, fc.boolean(), fc.nat(), fc.constant(null), fc.array(words, { maxLength: 2 }))
    const names = fc.constantFrom(
      ...['target', 'client', 'account', 'sessions', 'all', 'dryRun', 'feature', 'level', 'enabled', 'reason'],
      ...['version', 'changes', 'position', 'matching', 'letters', 'id', 'thing', 'delivery', 'sessionUid'],
    )
    const objects = fc.dictionary(names, fc.oneof(values, fc.dictionary(names, values)))
    const end = await scene.store.end()
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...paths),
        fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH'),
        fc.oneof(objects, fc.json()),
        async (path, method, body) => {
          const isGet = method === 'GET'
          const search = isGet && typeof body === 'object' ? `?${queryOf(body)}` : ''
          const response = await scene.fetch(`/admin/api${path}${search}`, VERA, {
            method,
            ...(!isGet && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
          })
          await response.arrayBuffer()
          assert.ok(response.status < 500, `${method} ${path} ${response.status}`)
        },
      ),
      { numRuns: 1_500 },
    )
    assert.equal(await scene.store.end(), end)
    assert.equal((await scene.scene.logout.pages.sessions({ all: true })).items.length, 1)
    assert.deepEqual((await scene.get<OperationsAnswer>('/operations')).body.operations, [])
    assert.equal(scene.scene.rps.shop.tokens.length, 0)
  })

  it('who is nobody sees nothing, whatever is asked', async () => {
    for (const { path, method } of ALL) {
      const answer = await scene.ask<ApiErrorBody>(method, path, NOBODY, method === 'GET' ? undefined : {})
      assert.equal(answer.status, 401, path)
      assert.deepEqual(Object.keys(answer.body), ['error'])
    }
  })

  it('differs from an operator, who changes something by the same request', async () => {
    const before = await scene.store.end()
    const target = { client: 'shop' }
    assert.equal((await scene.post('/clients/pause', target, VERA)).status, 403)
    assert.equal(await scene.store.end(), before)
    assert.equal((await scene.post('/clients/pause', target, OLGA)).status, 200)
    assert.ok((await scene.store.end()) > before)
  })
})

/** Whatever is in it, as a query. */
function queryOf(body: Readonly<Record<string, unknown>>): URLSearchParams {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(body))
    query.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  return query
}
