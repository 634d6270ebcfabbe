import assert from 'node:assert/strict'
import fc from 'fast-check'
import { OptionInvalidError } from '../../lib/index.ts'
import {
  flagProblem,
  GOES_BY_SUB,
  INITIATORS,
  initiatorsProblem,
  SKIP_SUPERSEDED,
  uriProblem,
  withBackChannelLogout,
} from '../../plugins/back-channel-logout/clients/client-metadata.ts'
import { REASONS } from '../../plugins/back-channel-logout/reasons.ts'

const URI = 'https://rp.example.com/logout'

describe('a back-channel logout URI', () => {
  const GOOD = [
    URI,
    'https://rp.example.com',
    'https://rp.example.com:8443/a?b=c',
    'https://rp.example.com:443/',
    'https://xn--bcher-kva.example/',
    'https://[2606:4700::1111]/',
    'HTTPS://rp.example.com/',
    `https://rp.example.com/${'a'.repeat(2_025)}`,
  ]
  for (const uri of GOOD) {
    it(`may be ${uri}`, () => {
      assert.equal(uriProblem(uri, false), undefined)
      assert.equal(uriProblem(uri, true), undefined)
    })
  }

  const NEVER: readonly (readonly [unknown, RegExp])[] = [
    ['/logout', /absolute/],
    ['//rp.example.com/logout', /absolute/],
    ['rp.example.com/logout', /absolute/],
    ['', /absolute/],
    ['https://', /absolute/],
    [undefined, /absolute/],
    [null, /absolute/],
    [42, /absolute/],
    [[URI], /absolute/],
    [{ href: URI }, /absolute/],
    ...[' https://rp.example.com/', 'https:rp.example.com', 'https:/rp.example.com', 'https:\\\\rp.example.com'].map(
      (repaired) => [repaired, /absolute/] as const,
    ),
    ['https://rp.example.com/\u0000', /absolute/],
    ['https://rp.example.com:25/', /must not have the port 25: it belongs to another protocol/],
    ['https://rp.example.com:6667/', /port 6667/],
    ['https://rp.example.com/a\tb', /absolute/],
    ['https://rp.example.com/\ud800', /half a surrogate pair/],
    [`https://rp.example.com/${'a'.repeat(2_026)}`, /at most 2048/],
    [`https://rp.example.com/${'ü'.repeat(400)}`, /at most 2048/],
    [`${URI}#fragment`, /fragment/],
    [`${URI}#`, /fragment/],
    ['https://user@rp.example.com/', /credentials/],
    ['https://user:secret@rp.example.com/', /credentials/],
    ['https://:secret@rp.example.com/', /credentials/],
    ['ftp://rp.example.com/', /https/],
    ['javascript:alert(1)', /https/],
    ['data:text/plain,x', /https/],
    ['file:///etc/passwd', /https/],
    ['http://rp.example.com/', /https/],
    ['http://127.0.0.1.nip.io/', /https/],
    ['http://10.0.0.1/', /https/],
    ['http://localhost.example.com/', /https/],
    ['http://notlocalhost/', /https/],
    ['http://[::ffff:127.0.0.1]/', /https/],
  ]
  for (const [uri, problem] of NEVER) {
    it(`must not be ${JSON.stringify(uri) ?? 'undefined'}`, () => {
      assert.match(String(uriProblem(uri, false)), problem)
      assert.match(String(uriProblem(uri, true)), problem)
    })
  }

  const LOOPBACK = [
    'http://127.0.0.1:3001/x',
    'http://127.9.9.9/',
    'http://localhost/',
    'http://LOCALHOST/',
    'http://rp.localhost/',
    'http://[::1]:3000/',
    'http://2130706433/',
  ]
  for (const uri of LOOPBACK) {
    it(`may be ${uri} in development only`, () => {
      assert.equal(uriProblem(uri, true), undefined)
      assert.match(String(uriProblem(uri, false)), /https .*only with the option `development`/)
    })
  }

  it('is, whatever is given, refused with a reason or one that a request can be made to', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.webUrl({ withFragments: true })), fc.boolean(), (uri, development) => {
        if (uriProblem(uri, development) !== undefined) return
        const { protocol, hash } = new URL(String(uri))
        assert.ok(protocol === 'https:' || development)
        assert.equal(hash, '')
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('the initiators of a client', () => {
  it('may be any of the reasons, and none', () => {
    for (const reason of REASONS) assert.equal(initiatorsProblem([reason]), undefined)
    assert.equal(initiatorsProblem([...REASONS]), undefined)
    assert.equal(initiatorsProblem([]), undefined)
  })

  it('must be nothing else', () => {
    for (const wrong of [undefined, null, 'rp_initiated', {}, ['unknown'], ['rp_initiated', 1], [null], [['admin']]]) {
      assert.match(String(initiatorsProblem(wrong)), /must be an array of rp_initiated, /)
    }
  })
})

describe('what a client says by yes or no', () => {
  it('is true or false, and nothing else', () => {
    for (const wish of [true, false]) assert.equal(flagProblem(wish), undefined)
    for (const wrong of [undefined, null, 'true', 1, [], {}]) assert.equal(flagProblem(wrong), 'must be true or false')
  })
})

describe('the configuration with back-channel logout', () => {
  it('switches the feature on and asks for sids by default', () => {
    assert.deepEqual(withBackChannelLogout({}, false).constructor, Object)
    const complete = withBackChannelLogout<Record<string, unknown>>(
      { features: { devInteractions: { enabled: false } }, clientDefaults: { grant_types: [] } },
      false,
    )
    assert.deepEqual(complete['features'], {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
    })
    assert.deepEqual(complete['clientDefaults'], { backchannel_logout_session_required: true, grant_types: [] })
  })

  it('leaves the default to the application where it has one', () => {
    const clientDefaults = { backchannel_logout_session_required: false }
    assert.deepEqual(withBackChannelLogout({ clientDefaults }, false).clientDefaults, clientDefaults)
  })

  it('does not change what it was given', () => {
    const given = Object.freeze({ features: Object.freeze({}), clientDefaults: Object.freeze({}) })
    withBackChannelLogout(given, false)
    assert.deepEqual(given, { features: {}, clientDefaults: {} })
  })

  for (const [member, value] of [
    ['backchannel_logout_uri', 'http://rp.example.com'],
    [INITIATORS, ['unknown']],
    [SKIP_SUPERSEDED, 'yes'],
    [GOES_BY_SUB, 1],
  ] as const) {
    it(`refuses a configured client whose ${member} is unusable, by name`, () => {
      const clients = [{ client_id: 'good' }, { client_id: 'rp', [member]: value }]
      assert.throws(
        () => withBackChannelLogout({ clients }, false),
        (error) => error instanceof OptionInvalidError && error.option === `clients[client_id=rp].${member}`,
      )
    })
  }
})

describe('the validator of client metadata', () => {
  interface Extra {
    readonly properties: readonly string[]
    validator(ctx: unknown, property: string, value: unknown, metadata: Record<string, unknown>): void
  }
  const REQUEST = {}

  function extraOf(configuration: object = {}): Extra {
    return (withBackChannelLogout(configuration, false) as { extraClientMetadata: Extra }).extraClientMetadata
  }

  it('refuses what a client registers in the form of RFC 7591', () => {
    for (const [property, value] of [
      ['backchannel_logout_uri', '/relative'],
      [INITIATORS, 'all'],
      [SKIP_SUPERSEDED, 'yes'],
      [GOES_BY_SUB, 'yes'],
    ] as const) {
      assert.throws(() => extraOf().validator(REQUEST, property, value, {}), {
        error: 'invalid_client_metadata',
        status: 400,
        error_description: new RegExp(`^${property} must be`),
      })
    }
  })

  it('takes what is good, and what is not there', () => {
    const { validator } = extraOf()
    validator(REQUEST, 'backchannel_logout_uri', URI, {})
    validator(REQUEST, 'backchannel_logout_uri', undefined, {})
    validator(REQUEST, INITIATORS, ['admin'], {})
    validator(REQUEST, INITIATORS, undefined, {})
    validator(REQUEST, SKIP_SUPERSEDED, true, {})
    validator(REQUEST, SKIP_SUPERSEDED, undefined, {})
    validator(REQUEST, GOES_BY_SUB, true, {})
  })

  it('never throws for stored clients: that would disable them', () => {
    extraOf().validator(undefined, 'backchannel_logout_uri', '/relative', {})
    extraOf().validator(undefined, INITIATORS, 'all', {})
    extraOf().validator(undefined, SKIP_SUPERSEDED, 'yes', {})
    extraOf().validator(undefined, GOES_BY_SUB, 'yes', {})
  })

  it("leaves the application's own metadata to its own validator, and does not show it ours", () => {
    const seen: string[] = []
    const validator = (_ctx: unknown, property: string): void => void seen.push(property)
    const extra = extraOf({ extraClientMetadata: { properties: ['tenant'], validator } })
    assert.deepEqual(extra.properties, ['tenant', 'backchannel_logout_uri', INITIATORS, SKIP_SUPERSEDED, GOES_BY_SUB])
    extra.validator(REQUEST, 'tenant', 'x', {})
    extra.validator(REQUEST, 'backchannel_logout_uri', URI, {})
    assert.deepEqual(seen, ['tenant'])
  })
})
