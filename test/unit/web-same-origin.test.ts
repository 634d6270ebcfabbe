import assert from 'node:assert/strict'
import { isSameOrigin } from '../../lib/web/same-origin.ts'
import { Site } from '../../lib/web/site.ts'

function asked(method: string, headers: Readonly<Record<string, string>>, origin?: string): boolean {
  // A `Request` of Node's drops the headers that only browsers set.
  const request = { method, headers: new Headers(headers), url: 'http://internal:8080/' }
  return isSameOrigin(request as unknown as Request, origin)
}

describe('whether a request comes from a page of the same origin', () => {
  const own = { Host: 'op.example.com' }

  for (const [what, headers, mayLook, mayChange] of [
    ['its own page', { 'Sec-Fetch-Site': 'same-origin', Origin: 'https://op.example.com' }, true, true],
    ['its own page, without Origin', { 'Sec-Fetch-Site': 'same-origin' }, true, true],
    ['a browser that knows no Fetch Metadata', { Origin: 'https://op.example.com' }, true, true],
    ['a page of another site', { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example.org' }, false, false],
    ['a page of another host of the same site', { 'Sec-Fetch-Site': 'same-site' }, false, false],
    ['a page of another port', { Origin: 'https://op.example.com:8443' }, false, false],
    ['a page that hides its origin', { Origin: 'null' }, false, false],
    [
      'what lies about one of the two',
      { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://op.example.com' },
      false,
      false,
    ],
    ['an address that was typed in', { 'Sec-Fetch-Site': 'none' }, true, false],
    ['a client that is no browser', {}, true, false],
    ['an Origin that is none', { Origin: 'op.example.com' }, false, false],
  ] as const) {
    it(`${mayLook ? 'lets' : 'does not let'} ${what} look, and ${mayChange ? 'lets' : 'does not let'} it change anything`, () => {
      assert.equal(asked('GET', { ...own, ...headers }), mayLook, 'GET')
      assert.equal(asked('HEAD', { ...own, ...headers }), mayLook, 'HEAD')
      assert.equal(asked('POST', { ...own, ...headers }), mayChange, 'POST')
      assert.equal(asked('DELETE', { ...own, ...headers }), mayChange, 'DELETE')
    })
  }

  it('goes by the origin that is given, where a proxy names another host', () => {
    const behind = { Host: 'internal:8080', Origin: 'https://op.example.com' }
    assert.equal(asked('POST', behind), false)
    assert.equal(asked('POST', behind, 'https://op.example.com'), true)
    assert.equal(asked('POST', { ...behind, Origin: 'http://op.example.com' }, 'https://op.example.com'), false)
  })
})

describe('the base path of a site', () => {
  const site = (basePath: unknown): Site<unknown> =>
    new Site<unknown>({ basePath: basePath as string, answer: async (_request, path) => new Response(path) })

  it('is a path that begins with a slash', () => {
    assert.deepEqual(
      ['/', '/a', '/a/b-c/', '/~x.y'].map((path) => site(path).basePath),
      ['', '/a', '/a/b-c', '/~x.y'],
    )
    for (const path of ['a', '/../a', '/.', 'https://op.example.com/a', '/a//b', '/a?b', '/a b', '/a/*', undefined, 1])
      assert.throws(() => site(path), { code: 'OPTION_INVALID', message: /basePath/ })
  })

  it('is where it answers, and nowhere else', async () => {
    const answered = async (url: string): Promise<string | undefined> =>
      (await site('/a').fetch(new Request(url), undefined))?.text()
    assert.equal(await answered('https://op.example.com/a'), '')
    assert.equal(await answered('https://op.example.com/a/'), '/')
    assert.equal(await answered('https://op.example.com/a/b?c'), '/b')
    for (const path of ['/', '/b', '/ab', '/a/../b', '/a/%2e%2e/b'])
      assert.equal(await answered(`https://op.example.com${path}`), undefined, path)
  })
})
