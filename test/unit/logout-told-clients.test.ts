import assert from 'node:assert/strict'
import { OutcomeUnknownError, StoreClosedError, StoreRefusedError, StoreUnavailableError } from '../../lib/index.ts'
import { ToldClients } from '../../plugins/back-channel-logout/clients/told-clients.ts'
import type { OidcClient, OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import { REASONS, type Reason } from '../../plugins/back-channel-logout/reasons.ts'
import { clearTextOf, isClearText } from '../../plugins/back-channel-logout/recording/clear-text.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { KeptLog } from '../support/kept-log.ts'

const URI = 'https://rp.example.com/logout'
const OPERATORS: readonly Reason[] = [
  'admin',
  'account_disabled',
  'account_deleted',
  'password_changed',
  'signed_out_everywhere',
]

describe('a client that may be told of logouts', () => {
  let log: KeptLog
  let clients: ToldClients
  let found: OidcClient | Error | 'no answer' | undefined
  let asked: number
  let clock: FakeClock

  beforeEach(() => {
    log = new KeptLog()
    clock = new FakeClock()
    asked = 0
    const find = async (): Promise<OidcClient | undefined> => {
      asked += 1
      if (found === 'no answer') return new Promise(() => {})
      if (found instanceof Error) throw found
      return found
    }
    clients = new ToldClients({
      provider: { Client: { find } } as unknown as OidcProvider,
      logger: log,
      clock,
      development: false,
      mayFilterOperators: (clientId) => clientId === 'trusted',
    })
  })

  const clientOf = (more: Record<string, unknown> = {}, clientId = 'rp'): OidcClient => ({
    clientId,
    backchannelLogoutUri: URI,
    includeSid: () => true,
    ...more,
  })

  it('is one with a usable URI', async () => {
    found = clientOf()
    assert.deepEqual(await clients.find('rp'), { clientId: 'rp' })
    found = clientOf({ backchannelLogoutUri: undefined })
    assert.equal(await clients.find('rp'), undefined)
    found = undefined
    assert.equal(await clients.find('rp'), undefined)
    assert.deepEqual(log.lines, [], 'nothing is wrong with that')
  })

  it('is warned about once where its URI is not usable', () => {
    for (const clientId of ['rp', 'rp', 'another'])
      assert.equal(clients.of(clientOf({ backchannelLogoutUri: `${URI}#x` }, clientId)), undefined)
    assert.deepEqual(
      log.of(/must not have a fragment/).map(({ level, fields }) => [level, fields['client_id']]),
      [
        ['warn', 'rp'],
        ['warn', 'another'],
      ],
    )
  })

  it('is warned about again once ten thousand others were: so many are remembered', () => {
    const warn = (clientId: string): unknown => clients.of(clientOf({ backchannelLogoutUri: `${URI}#x` }, clientId))
    for (let n = 0; n < 10_000; n++) warn(`rp ${n}`)
    warn('rp 0')
    assert.equal(log.lines.length, 10_000)
    for (const clientId of ['one more', 'rp 0', 'rp 0']) warn(clientId)
    assert.equal(log.lines.length, 10_002)
  })

  it('is warned about where it cannot be loaded', async () => {
    found = Object.assign(new Error('invalid_client_metadata'), { error: 'invalid_client_metadata' })
    assert.equal(await clients.find('rp'), undefined)
    assert.equal(log.of(/cannot be loaded/)[0]?.fields['err'], found)
  })

  it('is not known to be none where an adapter of the application fails', async () => {
    found = new Error('the table is locked')
    assert.deepEqual(await clients.find('rp'), { clientId: 'rp', isUncertain: true })
    assert.equal(log.of(/cannot be read/)[0]?.fields['err'], found)
  })

  it('is not known to be none where an adapter of the application does not answer, and is looked up when it does', async () => {
    found = 'no answer'
    const looking = clients.find('rp')
    await clock.advance(9_000)
    assert.deepEqual(await looking, { clientId: 'rp', isUncertain: true })
    for (let n = 0; n < 1_000; n++) assert.ok((await clients.find(`rp ${n}`))?.isUncertain)
    assert.equal(asked, 1, 'those who are looked up next are not waited for')
    assert.deepEqual(
      log.lines.map(({ fields }) => fields['event']),
      ['clients_unreadable'],
    )
    found = clientOf()
    await clock.advance(30_000)
    assert.deepEqual(await clients.find('rp'), { clientId: 'rp' })
  })

  it('is told of in the log once where ten thousand cannot be read, and again at the next time', async () => {
    found = new Error('the table is locked')
    for (let n = 0; n < 10_000; n++) await clients.find(`rp ${n}`)
    assert.equal(log.lines.length, 1)
    found = clientOf()
    await clients.find('rp')
    found = new Error('the table is locked')
    await clients.find('rp')
    assert.equal(log.lines.length, 2)
  })

  for (const error of [
    new StoreUnavailableError('away'),
    new StoreClosedError(),
    new StoreRefusedError('no rights'),
    new OutcomeUnknownError('no answer'),
  ]) {
    it(`is not known while the store does not tell: ${error.code}`, async () => {
      found = error
      await assert.rejects(clients.find('rp'), error)
      assert.deepEqual(log.lines, [])
    })
  }

  it('is told of what operators do, whatever it wants to hear of', () => {
    const wished: Reason[] = ['rp_initiated', 'admin']
    const { initiators = [] } = clients.of(clientOf({ backchannel_logout_initiators: wished })) ?? {}
    assert.deepEqual([...initiators].sort(), [...new Set([...wished, ...OPERATORS])].sort())
    assert.deepEqual(clients.of(clientOf({ backchannel_logout_initiators: [] }))?.initiators, OPERATORS)
  })

  it('may leave out what operators do where they allow it', () => {
    for (const initiators of [[], ['rp_initiated'], [...REASONS]]) {
      const client = clients.of(clientOf({ backchannel_logout_initiators: initiators }, 'trusted'))
      assert.deepEqual(client?.initiators, initiators)
    }
  })

  it('is told of everything where its wishes make no sense', () => {
    for (const initiators of ['admin', ['boredom'], 1, undefined])
      assert.deepEqual(clients.of(clientOf({ backchannel_logout_initiators: initiators })), { clientId: 'rp' })
  })

  for (const [what, clientId] of [
    ['half a surrogate pair', 'a\ud800'],
    ['too many characters', 'x'.repeat(1_025)],
  ] as const) {
    it(`is none with a name that cannot be recorded: ${what}`, () => {
      assert.equal(clients.of(clientOf({}, clientId)), undefined)
      assert.equal(log.of(/client_id/).length, 1)
    })
  }
})

describe('text in the clear', () => {
  it('is well-formed, and bounded', () => {
    for (const text of ['', 'a', 'ü', '😀', 'x'.repeat(1_024)]) assert.ok(isClearText(text))
    for (const text of ['\ud800', 'a\udc00b', 'x'.repeat(1_025)]) assert.ok(!isClearText(text))
  })

  it('is made of any text', () => {
    assert.equal(clearTextOf('as it is 😀'), 'as it is 😀')
    assert.equal(clearTextOf('a\ud800b'), 'a\ufffdb')
    assert.equal(clearTextOf('x'.repeat(1_000_000)).length, 1_024)
    assert.ok(isClearText(clearTextOf(`${'x'.repeat(1_023)}😀`)))
  })
})
