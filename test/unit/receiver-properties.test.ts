import assert from 'node:assert/strict'
import fc from 'fast-check'
import { CompactEncrypt } from 'jose'
import {
  type LogoutRequestBody,
  LogoutTokenError,
  type LogoutTokenOptions,
  logoutRequestHandler,
  logoutTokenErrorCodes,
  verifyLogoutToken,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { anyCharacter } from '../support/any-character.ts'
import { CLIENT, ISSUER, LOGOUT_EVENT, NOW, type TestIssuer, testIssuer } from './receiver-issuer.ts'

describe('whatever is sent to the receiver', () => {
  const encryptionKey = new Uint8Array(32).fill(7)
  let op: TestIssuer
  let signed: string
  let encrypted: string
  let encryptedOptions: LogoutTokenOptions

  before(async () => {
    op = await testIssuer()
    signed = await op.token()
    encrypted = await new CompactEncrypt(new TextEncoder().encode(signed))
      .setProtectedHeader({ alg: 'A256KW', enc: 'A256GCM', cty: 'JWT' })
      .encrypt(encryptionKey)
    encryptedOptions = { ...op.options, decryptionKey: encryptionKey }
    await verifyLogoutToken(signed, op.options)
    await verifyLogoutToken(encrypted, encryptedOptions)
  })

  const refused = async (token: string, options: LogoutTokenOptions): Promise<void> => {
    const error: unknown = await verifyLogoutToken(token, options).catch((reason: unknown) => reason)
    assert.ok(error instanceof LogoutTokenError, `taken, or failed otherwise: ${token} ${String(error)}`)
    assert.ok(logoutTokenErrorCodes.includes(error.code))
  }

  const letter = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ~\u00e9\n')
  const mutation = fc.oneof(
    fc.record({ kind: fc.constant('replace' as const), at: fc.nat(), letter }),
    fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), letter }),
    fc.record({ kind: fc.constant('delete' as const), at: fc.nat(), letter }),
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), letter }),
    fc.record({ kind: fc.constant('swap' as const), at: fc.nat(), letter }),
  )

  it('no change to the letters of a good token is accepted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(mutation, { minLength: 1, maxLength: 3 }), async (inner, mutations) => {
        const original = inner ? signed : encrypted
        const changed = mutations.reduce(mutate, original)
        fc.pre(changed !== original)
        await refused(changed, inner ? op.options : encryptedOptions)
      }),
      { numRuns: 2000 },
    )
  })

  it('each single letter of a good token matters', async () => {
    for (const [token, options] of [
      [signed, op.options],
      [encrypted, encryptedOptions],
    ] as const) {
      for (let at = 0; at < token.length; at += 1) {
        await refused(mutate(token, { kind: 'replace', at, letter: token[at] === 'B' ? 'C' : 'B' }), options)
      }
    }
  })

  it('no change to the claims of a good token is accepted under its old signature', async () => {
    const [header, payload = '', signature] = signed.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(claims), 'extra'), fc.jsonValue(), async (name, value) => {
        const text = JSON.stringify({ ...claims, [name]: value })
        fc.pre(text !== JSON.stringify(claims))
        await refused(`${header}.${Buffer.from(text).toString('base64url')}.${signature}`, op.options)
      }),
      { numRuns: 500 },
    )
  })

  it('a signed token is accepted exactly when its claims keep the rules', async () => {
    const odd = fc.jsonValue({ maxDepth: 1 })
    const claims = fc.record(
      {
        iss: fc.oneof({ weight: 9, arbitrary: fc.constant(ISSUER) }, odd),
        aud: fc.oneof(
          { weight: 5, arbitrary: fc.constant(CLIENT) },
          { weight: 4, arbitrary: fc.constant(['other', CLIENT]) },
          odd,
        ),
        iat: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: NOW - 400, max: NOW + 40 }) }, odd),
        exp: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: NOW - 40, max: NOW + 400 }) }, odd),
        jti: fc.oneof({ weight: 9, arbitrary: fc.string({ minLength: 1 }) }, odd),
        sub: fc.oneof({ weight: 9, arbitrary: fc.string({ minLength: 1 }) }, odd),
        sid: fc.oneof({ weight: 9, arbitrary: fc.string({ minLength: 1 }) }, odd),
        events: fc.oneof({ weight: 9, arbitrary: fc.constant({ [LOGOUT_EVENT]: {} }) }, odd),
        nonce: odd,
      },
      { requiredKeys: ['iss', 'aud', 'iat', 'exp', 'jti', 'events'] },
    )
    let taken = 0
    await fc.assert(
      fc.asyncProperty(claims, async (some) => {
        const token = await op.token({ payload: JSON.stringify(some) })
        if (!keepsTheRules(some)) return refused(token, op.options)
        taken += 1
        const { jti, issuedAt } = await verifyLogoutToken(token, op.options)
        assert.deepEqual([jti, issuedAt], [some.jti, some.iat])
      }),
      { numRuns: 2000 },
    )
    assert.ok(taken > 50, `only ${taken} good ones were tried`)
  })

  it('the answer has one of the documented statuses, and nobody is logged out', async () => {
    let logouts = 0
    const handlers = [op.options, encryptedOptions].map((options) =>
      logoutRequestHandler({
        ...options,
        onLogout: () => {
          logouts += 1
        },
      }),
    )
    const text = fc.string({ unit: anyCharacter, maxLength: 300 })
    const tokenLike = fc
      .array(
        fc.oneof(
          fc.json().map((json) => Buffer.from(json).toString('base64url')),
          fc.base64String(),
          text,
        ),
        { maxLength: 6 },
      )
      .map((parts) => parts.join('.'))
    const header = fc.record(
      { alg: fc.oneof(fc.constantFrom('ES256', 'none', 'HS256', 'dir', 'A256KW'), fc.jsonValue()) },
      { requiredKeys: [] },
    )
    const headed = fc
      .tuple(fc.oneof(header, fc.object()), fc.base64String(), fc.constantFrom(2, 4))
      .map(([head, rest, dots]) =>
        [Buffer.from(JSON.stringify(head)).toString('base64url'), ...Array(dots).fill(rest)].join('.'),
      )
    const body: fc.Arbitrary<LogoutRequestBody> = fc.oneof(
      text,
      fc.uint8Array({ maxLength: 300 }),
      fc.oneof(text, tokenLike, headed).map((token) => new URLSearchParams({ logout_token: token }).toString()),
      fc.record({ logout_token: fc.oneof(tokenLike, headed, fc.anything()) }),
      fc.object(),
      fc.constantFrom(null, undefined),
      fc
        .array(fc.oneof(fc.uint8Array(), text, fc.anything()), { maxLength: 5 })
        .map((chunks) => streamOf(chunks as Uint8Array[])),
      fc.anything().map((value) => value as LogoutRequestBody),
    )
    const statuses = new Set<number>()
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...handlers),
        fc.oneof({ weight: 9, arbitrary: fc.constant('POST') }, text),
        fc.oneof(
          { weight: 9, arbitrary: fc.constant('application/x-www-form-urlencoded') },
          text,
          fc.constantFrom(null, undefined),
        ),
        body,
        async (handle, method, contentType, sent) => {
          const answer = await handle({ method, contentType, body: sent })
          assert.ok([400, 405, 413, 415, 503].includes(answer.status), `${answer.status}`)
          assert.equal(answer.headers['cache-control'], 'no-store')
          assert.ok(JSON.parse(answer.body).error)
          statuses.add(answer.status)
        },
      ),
      { numRuns: 3000 },
    )
    assert.equal(logouts, 0)
    assert.ok(statuses.has(400) && statuses.has(405) && statuses.has(415))
  })
})

interface Mutation {
  kind: 'replace' | 'insert' | 'delete' | 'cut' | 'swap'
  at: number
  letter: string
}

function mutate(text: string, { kind, at, letter }: Mutation): string {
  const index = at % Math.max(1, text.length)
  const [before, after] = [text.slice(0, index), text.slice(index + 1)]
  switch (kind) {
    case 'replace':
      return before + letter + after
    case 'insert':
      return before + letter + text.slice(index)
    case 'delete':
      return before + after
    case 'cut':
      return before
    case 'swap':
      return text.slice(index) + before
  }
}

/** Section 2.6 once more, in the plainest words, to compare the receiver with. */
function keepsTheRules(claims: Record<string, unknown>): boolean {
  const { iss, aud, iat, exp, jti, sub, sid, events } = claims
  const text = (value: unknown): boolean => typeof value === 'string' && value.length > 0
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud]
  const event =
    events !== null && typeof events === 'object'
      ? Object.entries(events).find(([name]) => name === LOGOUT_EVENT)?.[1]
      : undefined
  return (
    iss === ISSUER &&
    audiences.includes(CLIENT) &&
    audiences.every(text) &&
    typeof iat === 'number' &&
    iat <= NOW + 30 &&
    iat > NOW - 330 &&
    typeof exp === 'number' &&
    exp > NOW - 30 &&
    text(jti) &&
    (sub === undefined || text(sub)) &&
    (sid === undefined || text(sid)) &&
    (text(sub) || text(sid)) &&
    typeof event === 'object' &&
    event !== null &&
    !Array.isArray(event) &&
    !('nonce' in claims)
  )
}

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
