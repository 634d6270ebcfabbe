import assert from 'node:assert/strict'
import { StoreUnavailableError } from '../../lib/index.ts'
import type { OidcClient, OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import { readHint } from '../../plugins/back-channel-logout/single-session/hint.ts'

const CLIENT = { clientId: 'rp' } as OidcClient

/** A JWT with these claims; who signed it is what the provider below is asked for. */
function jwt(claims: unknown): string {
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`
}

/** A provider with one client, which verifies every ID token. */
class Provider {
  readonly asked: unknown[] = []
  find: () => Promise<OidcClient | undefined> = async () => CLIENT
  validate: (claims: unknown) => Promise<{ payload: object }> = async (claims) => ({ payload: claims as object })

  async read(hint: string): Promise<unknown> {
    const provider = {
      Client: {
        find: (id: unknown) => {
          this.asked.push(id)
          return this.find()
        },
      },
      IdToken: {
        validate: (token: string) =>
          this.validate(JSON.parse(Buffer.from(String(token.split('.')[1]), 'base64url').toString())),
      },
    }
    return readHint(provider as unknown as OidcProvider, hint)
  }
}

describe('an id_token_hint', () => {
  let provider: Provider
  beforeEach(() => {
    provider = new Provider()
  })

  it('names a session by the sid and the subject of its client', async () => {
    const hint = await provider.read(jwt({ aud: 'rp', sid: 's', sub: 'alice', nonce: 'n' }))
    assert.deepEqual(hint, { client: CLIENT, sid: 's', sub: 'alice' })
    assert.deepEqual(provider.asked, ['rp'])
  })

  for (const [what, token] of [
    ['is no JWT', 'a.b'],
    ['is encrypted', 'a.b.c.d.e'],
    ['holds no JSON', 'a.b.c'],
    ['holds null', jwt(null)],
    ['holds a text', jwt('rp')],
    ['is for nobody', jwt({ sid: 's', sub: 'alice' })],
    ['is for several', jwt({ aud: ['rp', 'other'], sid: 's', sub: 'alice' })],
    ['is for what is no client id', jwt({ aud: { $ne: '' }, sid: 's', sub: 'alice' })],
  ] as const) {
    it(`names nothing, and no client is looked up, where it ${what}`, async () => {
      assert.equal(await provider.read(token), undefined)
      assert.deepEqual(provider.asked, [])
    })
  }

  for (const [what, claims] of [
    ['it has no sid', { aud: 'rp', sub: 'alice' }],
    ['it has no subject', { aud: 'rp', sid: 's' }],
    ['its sid is no text', { aud: 'rp', sid: 7, sub: 'alice' }],
  ] as const) {
    it(`names nothing where ${what}`, async () => assert.equal(await provider.read(jwt(claims)), undefined))
  }

  it('names nothing where its client is gone, cannot be loaded, or did not get it', async () => {
    const hint = jwt({ aud: 'rp', sid: 's', sub: 'alice' })
    provider.find = async () => undefined
    assert.equal(await provider.read(hint), undefined)
    provider.find = async () => {
      throw new Error('its metadata is invalid')
    }
    assert.equal(await provider.read(hint), undefined)
    provider.find = async () => CLIENT
    provider.validate = async () => {
      throw new Error('signature verification failed')
    }
    assert.equal(await provider.read(hint), undefined)
  })

  it('is not called forged while the store is away', async () => {
    provider.find = async () => {
      throw new StoreUnavailableError('away')
    }
    await assert.rejects(provider.read(jwt({ aud: 'rp', sid: 's', sub: 'alice' })), StoreUnavailableError)
  })
})
