import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import {
  backChannelLogoutReceiver,
  type KoaReceiverOptions,
  logoutRequestHandler,
  MemoryReplayStore,
  ReceiverOptionError,
  verifyLogoutToken,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { type TestIssuer, testIssuer } from './receiver-issuer.ts'

describe('an option of the receiver', () => {
  let op: TestIssuer

  before(async () => {
    op = await testIssuer()
  })

  const wrong: [option: string, why: string, changes: Record<string, unknown>][] = [
    ['isuer', 'is unknown', { isuer: 'x' }],
    ['issuer', 'is missing', { issuer: undefined }],
    ['issuer', 'is empty', { issuer: '' }],
    ['issuer', 'is a URL object', { issuer: new URL('https://op.example') }],
    ['audience', 'is missing', { audience: undefined }],
    ['audience', 'is empty', { audience: '' }],
    ['audience', 'is an empty list', { audience: [] }],
    ['audience', 'holds something else', { audience: ['rp', 1] }],
    ['audience', 'holds an empty text', { audience: ['rp', ''] }],
    ['jwks', 'is missing, as is clientSecret', { jwks: undefined }],
    ['jwks', 'is text', { jwks: 'https://op.example/jwks' }],
    ['jwks', 'is plain http', { jwks: new URL('http://op.example/jwks') }],
    [
      'jwks',
      'is plain http at a name that only looks like loopback',
      { jwks: new URL('http://127.0.0.1.example/jwks') },
    ],
    ['jwks', 'is neither http nor https, on loopback', { jwks: new URL('ftp://127.0.0.1/jwks') }],
    ['jwks', 'is a file', { jwks: new URL('file:///jwks') }],
    ['jwks', 'has no keys', { jwks: { keys: [] } }],
    ['jwks', 'holds something that is no key', { jwks: { keys: [1] } }],
    ['jwks', 'holds null', { jwks: { keys: [null] } }],
    [
      'jwks',
      'holds a private key of another kind',
      { jwks: { keys: [{ kty: 'AKP', alg: 'ML-DSA-44', pub: 'p', priv: 'p' }] } },
    ],
    ['jwks', 'is one key', { jwks: { kty: 'EC' } }],
    ['jwks', 'holds a secret', { jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }],
    ['jwks', 'holds a private key', { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }] } }],
    ['clientSecret', 'is empty', { clientSecret: '', algorithms: ['HS256'] }],
    ['clientSecret', 'is used by nothing', { clientSecret: 'secret' }],
    [
      'jwks',
      'is missing where algorithms is, which means RS256',
      { jwks: undefined, clientSecret: 's', algorithms: undefined },
    ],
    ['clientSecret', 'is missing for HS256', { algorithms: ['HS256'] }],
    ['clientSecret', 'is missing for decryption', { decryptionKey: 'client_secret' }],
    ['jwks', 'is missing for RS256', { jwks: undefined, clientSecret: 'secret', algorithms: ['RS256'] }],
    ['algorithms', 'allows none', { algorithms: ['ES256', 'none'] }],
    ['algorithms', 'holds an unknown name', { algorithms: ['es256'] }],
    ['algorithms', 'is empty', { algorithms: [] }],
    ['algorithms', 'is text', { algorithms: 'ES256' }],
    ['decryptionKey', 'is text', { decryptionKey: '-----BEGIN PRIVATE KEY-----' }],
    ['decryptionKey', 'is null', { decryptionKey: null }],
    ['decryptionKey', 'is a set of keys', { decryptionKey: { keys: [] } }],
    ['decryptionKey', 'is a public key', { decryptionKey: { kty: 'RSA', n: 'n', e: 'AQAB' } }],
    ['decryptionKey', 'is missing where its algorithms are given', { keyManagementAlgorithms: ['dir'] }],
    ['contentEncryptionAlgorithms', 'is empty', { decryptionKey: new Uint8Array(32), contentEncryptionAlgorithms: [] }],
    ['requireType', 'is text', { requireType: 'yes' }],
    ['requireExpiry', 'is null', { requireExpiry: null }],
    ['clockToleranceSeconds', 'is below zero', { clockToleranceSeconds: -1 }],
    ['clockToleranceSeconds', 'is text', { clockToleranceSeconds: '30s' }],
    ['maxAgeSeconds', 'is no number', { maxAgeSeconds: Number.NaN }],
    ['maxAgeSeconds', 'is endless', { maxAgeSeconds: Number.POSITIVE_INFINITY }],
    ['timeoutMs', 'is zero', { timeoutMs: 0 }],
    ['timeoutMs', 'is endless', { timeoutMs: Number.POSITIVE_INFINITY }],
    ['replayStore', 'is no store', { replayStore: new Map() }],
    ['replayStore', 'is null', { replayStore: null }],
    ['now', 'is no function', { now: 1 }],
    ['now', 'returns nonsense', { now: () => Number.NaN }],
  ]
  for (const [option, why, changes] of wrong) {
    it(`is refused and named: ${option} ${why}`, async () => {
      await assert.rejects(
        verifyLogoutToken(await op.token(), { ...op.options, ...changes }),
        (error: unknown) =>
          error instanceof ReceiverOptionError && error.code === 'OPTION_INVALID' && error.option === option,
      )
    })
  }

  const wrongForRequests: [option: string, changes: Record<string, unknown>][] = [
    ['onLogout', { onLogout: undefined }],
    ['onLogout', { onLogout: 'destroy' }],
    ['onLogut', { onLogut: () => {} }],
    ['retryAfterSeconds', { retryAfterSeconds: -5 }],
    ['issuer', { issuer: '' }],
  ]
  for (const [option, changes] of wrongForRequests) {
    it(`is refused when the handler and the middleware are set up: ${option}`, () => {
      const options = { ...op.options, onLogout: () => {}, ...changes }
      assert.throws(() => logoutRequestHandler(options), {
        name: 'ReceiverOptionError',
        code: 'OPTION_INVALID',
        option,
      })
      assert.throws(() => backChannelLogoutReceiver(options), {
        name: 'ReceiverOptionError',
        code: 'OPTION_INVALID',
        option,
      })
    })
  }

  for (const [option, value] of [
    ['path', 'logout'],
    ['path', ''],
    ['path', 7],
    ['onFailure', 1],
    ['pathh', '/'],
  ] as const) {
    it(`is refused when the middleware is set up: ${option} ${JSON.stringify(value)}`, () => {
      const options = { ...op.options, onLogout: () => {}, [option]: value } as KoaReceiverOptions
      assert.throws(() => backChannelLogoutReceiver(options), {
        name: 'ReceiverOptionError',
        code: 'OPTION_INVALID',
        option,
      })
    })
  }

  it('is refused when there are no options at all', () => {
    for (const options of [undefined, null, 'x']) {
      assert.throws(() => logoutRequestHandler(options as never), { code: 'OPTION_INVALID', option: 'options' })
      assert.throws(() => backChannelLogoutReceiver(options as never), { code: 'OPTION_INVALID', option: 'options' })
    }
  })

  it('may be each signature algorithm with a key of its kind, and an HS algorithm only with the client secret', () => {
    const [bits, onLogout] = [[256, 384, 512], () => {}]
    const names = [
      ...['RS', 'PS', 'ES'].flatMap((family) => bits.map((size) => `${family}${size}`)),
      'EdDSA',
      'Ed25519',
    ]
    for (const alg of [...names, 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87']) {
      logoutRequestHandler({ ...op.options, onLogout, algorithms: [alg] })
    }
    for (const size of bits) {
      const algorithms = [`HS${size}`]
      logoutRequestHandler({ ...op.options, jwks: undefined as never, onLogout, clientSecret: 's', algorithms })
      const needsSecret = { code: 'OPTION_INVALID', option: 'clientSecret' }
      assert.throws(() => logoutRequestHandler({ ...op.options, onLogout, algorithms }), needsSecret)
    }
  })

  it('may be the smallest number that makes sense', async () => {
    const onLogout = (): void => {}
    const zero = { clockToleranceSeconds: 0, maxAgeSeconds: 0, retryAfterSeconds: 0 }
    logoutRequestHandler({ ...op.options, ...zero, timeoutMs: 0.5, onLogout })
    await verifyLogoutToken(await op.token(), { ...op.options, clockToleranceSeconds: 0, maxAgeSeconds: 1.5 })
    new MemoryReplayStore({ leaseSeconds: 0, maxEntries: 1 })
  })

  it('may be a jwks on loopback or behind https, and any kind of decryption key', async () => {
    const { privateKey } = await generateKeyPair('RSA-OAEP-256', { extractable: true })
    const keys = [
      privateKey,
      await exportJWK(privateKey),
      createSecretKey(new Uint8Array(32)),
      { kty: 'oct', k: 'AAAA' },
      new Uint8Array(32),
      () => privateKey,
    ]
    for (const decryptionKey of keys) logoutRequestHandler({ ...op.options, onLogout: () => {}, decryptionKey })
    for (const url of [
      'https://op.example/jwks',
      'http://localhost:1/jwks',
      'http://[::1]:1/jwks',
      'http://127.0.0.1:1/jwks',
    ]) {
      logoutRequestHandler({ ...op.options, onLogout: () => {}, jwks: new URL(url) })
    }
  })
})
