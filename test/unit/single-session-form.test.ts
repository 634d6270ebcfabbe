import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { readForm } from '../../plugins/back-channel-logout/single-session/form.ts'

/** A request with this body; without one, its body has been read by somebody else. */
function request(body?: string, type = 'application/x-www-form-urlencoded'): IncomingMessage {
  const stream = body === undefined ? { readableEnded: true } : Readable.from([Buffer.from(body)])
  return Object.assign(stream, { headers: { 'content-type': type } }) as unknown as IncomingMessage
}

const FORM = { xsrf: 'x', id_token_hint: 'a.b.c' }

describe('the form that ends one session', () => {
  it('has its fields, and no others', async () => {
    const more = { ...FORM, post_logout_redirect_uri: 'https://rp.example.com/bye', state: 'ü' }
    for (const type of ['application/x-www-form-urlencoded', 'Application/X-WWW-Form-URLencoded; charset=utf-8']) {
      const body = new URLSearchParams({ ...more, other: 'thing' }).toString()
      assert.deepEqual(await readForm(request(body, type), undefined), more)
      assert.deepEqual(await readForm(request(undefined, type), { ...more, other: 'thing' }), more)
    }
  })

  for (const [what, body] of [
    ['a field is missing', 'xsrf=x'],
    ['the other one is missing', 'id_token_hint=a.b.c'],
    ['a field is there twice', 'xsrf=x&xsrf=x&id_token_hint=a.b.c'],
    ['it is longer than 64 KiB', `xsrf=x&id_token_hint=${'a'.repeat(64 * 1_024)}`],
  ] as const) {
    it(`is none where ${what}`, async () => {
      assert.equal(await readForm(request(body), undefined), undefined)
    })
  }

  it('is none of another content type', async () => {
    for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencodedx', ''])
      assert.equal(await readForm(request('xsrf=x&id_token_hint=a.b.c', type), FORM), undefined, type)
  })

  for (const parsed of [undefined, null, 'xsrf=x', { ...FORM, xsrf: ['x', 'x'] }, { ...FORM, state: 7 }]) {
    it(`is none where another body parser has left ${JSON.stringify(parsed)}`, async () => {
      assert.equal(await readForm(request(), parsed), undefined)
    })
  }
})
