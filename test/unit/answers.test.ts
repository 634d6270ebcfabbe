import assert from 'node:assert/strict'
import { type Headers, headersOf, repeat, reset, restoreCookies } from '../../lib/provider/answers.ts'
import { FakeContext } from '../contract/provider-adapter/adapter-under-test.ts'

/** A context whose outer middleware has set these, and with what the request set on top of it. */
function answering(outer: Headers, more: Headers): { readonly ctx: FakeContext; readonly before: Headers } {
  const ctx = new FakeContext()
  for (const [field, value] of Object.entries(outer)) ctx.set(field, value as string | string[])
  const before = headersOf(ctx)
  for (const [field, value] of Object.entries(more)) ctx.set(field, value as string | string[])
  return { ctx, before }
}

describe('an answer that is taken back', () => {
  it('has what outer middleware had set, and nothing that the request has set', () => {
    const { ctx, before } = answering(
      { 'x-outer': 'yes', 'cache-control': 'private', 'set-cookie': ['outer=one', 'second=two'] },
      { 'cache-control': 'no-cache', location: 'https://rp.example.com/cb', 'set-cookie': ['_session=new'] },
    )
    reset(ctx, before)
    assert.deepEqual(ctx.response.headers, {
      'x-outer': 'yes',
      'cache-control': 'private',
      'set-cookie': ['outer=one', 'second=two'],
    })
  })

  it('is readable by whoever might read the one before: that is true of any answer', () => {
    const { ctx, before } = answering(
      { vary: 'Accept-Encoding', 'access-control-allow-origin': 'https://first.example.com' },
      {
        vary: 'Accept-Encoding, Origin',
        'access-control-allow-origin': 'https://rp.example.com',
        'access-control-expose-headers': 'WWW-Authenticate',
        'dpop-nonce': 'a nonce',
        'x-vary': 'no such thing',
      },
    )
    reset(ctx, before)
    assert.deepEqual(ctx.response.headers, {
      vary: 'Accept-Encoding, Origin',
      'access-control-allow-origin': 'https://rp.example.com',
      'access-control-expose-headers': 'WWW-Authenticate',
      'dpop-nonce': 'a nonce',
    })
  })
})

describe('the cookies of an answer that are taken back', () => {
  it('are those of outer middleware again', () => {
    for (const outer of ['outer=one', ['outer=one', 'second=two']]) {
      const { ctx, before } = answering({ 'set-cookie': outer }, { 'set-cookie': ['outer=one', '_session=new'] })
      restoreCookies(ctx, before)
      assert.deepEqual(ctx.response.headers, { 'set-cookie': outer })
    }
  })

  it('are none where outer middleware has set none, and the rest of the answer stays', () => {
    const { ctx, before } = answering({ 'x-outer': 'yes' }, { 'set-cookie': ['_session=new'], 'x-inner': 'yes' })
    restoreCookies(ctx, before)
    assert.deepEqual(ctx.response.headers, { 'x-outer': 'yes', 'x-inner': 'yes' })
  })
})

describe('a browser that is to repeat its request', () => {
  for (const [method, status] of [
    ['GET', 303],
    ['POST', 307],
  ] as const) {
    it(`of ${method} is sent to the same address by ${status}, and no cache keeps that`, () => {
      const { ctx, before } = answering({}, { 'set-cookie': ['_session=new'], 'content-type': 'text/html' })
      ctx.method = method
      ctx.originalUrl = '/auth?client_id=rp'
      repeat(ctx, before)
      assert.equal(ctx.status, status)
      assert.deepEqual(ctx.response.headers, { location: '/auth?client_id=rp', 'cache-control': 'no-store' })
    })
  }

  it('is never sent to another host, whatever its path begins with', () => {
    const { ctx, before } = answering({}, {})
    ctx.originalUrl = '/\\//evil.example.com/auth'
    repeat(ctx, before)
    assert.equal(ctx.response.headers['location'], '/evil.example.com/auth')
  })
})
