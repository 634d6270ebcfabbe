import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import {
  AccountKeys,
  type JsonObject,
  type NewEvent,
  type Observation,
  type Payload,
  type SessionChange,
  StoreUnavailableError,
  systemClock,
} from '../../lib/index.ts'
import { prepare } from '../../lib/log/prepare.ts'
import { ToldClients } from '../../plugins/back-channel-logout/clients/told-clients.ts'
import type { OidcClient, OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import type { SessionLogout } from '../../plugins/back-channel-logout/recording/session-logout.ts'
import { BackChannelObserver } from '../../plugins/back-channel-logout/recording/session-observer.ts'
import { KeptLog } from '../support/kept-log.ts'
import { commitOf, fold } from '../support/session-log.ts'

const ISSUER = 'https://op.example.com'
const URI = 'https://rp.example.com/logout'

/** A session with these sids, by client. */
function sessionOf(sids: Readonly<Record<string, string | undefined>>): Payload {
  const authorizations = Object.fromEntries(
    Object.entries(sids).map(([id, sid]) => [id, sid === undefined ? {} : { sid }]),
  )
  return { jti: 'cookie', uid: 'uid', accountId: 'alice', authorizations }
}

describe('the observer of sessions', () => {
  let isOn: boolean
  let log: KeptLog
  let observer: BackChannelObserver
  let state: { readonly payload: Payload; readonly note?: JsonObject } | undefined
  let recorded: NewEvent[][]

  beforeEach(() => {
    isOn = true
    log = new KeptLog()
    state = undefined
    recorded = []
    observer = new BackChannelObserver()
    const find = async (): Promise<never> => {
      throw new StoreUnavailableError('no client may be loaded')
    }
    const provider = { issuer: ISSUER, Client: { find } } as unknown as OidcProvider
    observer.attach({
      provider,
      keys: new AccountKeys(new MemoryEventStore(), systemClock),
      clients: new ToldClients({
        provider,
        logger: log,
        clock: systemClock,
        development: false,
        mayFilterOperators: () => false,
      }),
      isOn: () => isOn,
      committed: () => {},
    })
  })

  /** A request that this client makes at the provider; on a route of its own where one is named. */
  function requestOf(
    clientId: string,
    { uri = URI, required = true, route = 'authorization', asks = false } = {},
  ): NonNullable<SessionChange['request']> {
    const client: OidcClient = {
      clientId,
      ...(uri !== '' && { backchannelLogoutUri: uri }),
      includeSid: () => uri !== '' && required,
    }
    const claims = asks ? { id_token: { sid: null } } : {}
    return { oidc: { route, client, claims } } as unknown as NonNullable<SessionChange['request']>
  }

  /** The session becomes this. Undefined: it ends. */
  async function write(after: Payload | undefined, change: Partial<SessionChange> = {}): Promise<Observation> {
    const observation = await observer.sessionChanges({
      uid: 'uid',
      ...(state && { before: state.payload }),
      ...(state?.note && { note: state.note }),
      ...(after && { after }),
      ...change,
    })
    recorded.push([...observation.events])
    state = after && { payload: after, ...(observation.note && { note: observation.note }) }
    return observation
  }

  const registrations = ({ events }: Observation): unknown[] =>
    events
      .filter(({ type }) => type.endsWith('.registered'))
      .map(({ data }) => [data['client_id'], data['oidc_session_id'], data['session_required'], data['has_uri']])

  function folded(): SessionLogout {
    return fold(
      'uid',
      recorded.flatMap((events, index) => (events.length > 0 ? [commitOf(index + 1, events)] : [])),
    )
  }

  it('registers each login with a sid, be there a URI or not, and loads no client for it', async () => {
    const made = await write(sessionOf({ told: 's1' }), { request: requestOf('told') })
    assert.deepEqual(registrations(made), [['told', 's1', true, true]])
    const second = await write(sessionOf({ told: 's1', plain: 's2' }), { request: requestOf('plain', { uri: '' }) })
    assert.deepEqual(registrations(second), [['plain', 's2', false, undefined]])
  })

  it('registers nothing of a login that was only started', async () => {
    assert.deepEqual((await write(sessionOf({ told: undefined }), { request: requestOf('told') })).events, [])
  })

  it('registers a login once, however often the session is written', async () => {
    await write(sessionOf({ told: 's1', plain: 's2' }), { request: requestOf('told') })
    const { note } = state ?? {}
    for (const request of [undefined, requestOf('told'), requestOf('plain', { uri: '' }), requestOf('other')])
      assert.deepEqual((await write(sessionOf({ told: 's1', plain: 's2' }), request && { request })).events, [])
    assert.deepEqual(state?.note, note)
  })

  it('gives a login the sid when an ID token of its own carries it only later', async () => {
    await write(sessionOf({ rp: 's1' }), { request: requestOf('rp', { uri: '' }) })
    assert.deepEqual((await write(sessionOf({ rp: 's1' }), { request: requestOf('another') })).events, [])
    const later = await write(sessionOf({ rp: 's1' }), { request: requestOf('rp', { required: false, asks: true }) })
    assert.deepEqual(registrations(later), [['rp', 's1', true, true]])
    assert.deepEqual((await write(sessionOf({ rp: 's1' }), { request: requestOf('rp') })).events, [])
  })

  it('gives no sid to a login that no request of its own client has made', async () => {
    const made = await write(sessionOf({ rp: 's1', other: 's2' }), { request: requestOf('rp') })
    assert.deepEqual(registrations(made), [
      ['rp', 's1', true, true],
      ['other', 's2', false, undefined],
    ])
  })

  it('takes a request that ends the session for none that issues an ID token', async () => {
    const made = await write(sessionOf({ rp: 's1' }), { request: requestOf('rp', { route: 'end_session' }) })
    assert.deepEqual(registrations(made), [['rp', 's1', false, undefined]])
  })

  it('knows no URI of a client whose URI is not usable, and warns once', async () => {
    const request = requestOf('rp', { uri: 'http://rp.example.com/', required: true })
    assert.deepEqual(registrations(await write(sessionOf({ rp: 's1' }), { request })), [['rp', 's1', true, undefined]])
    await write(sessionOf({ rp: 's2' }), { request })
    assert.deepEqual(
      log
        .of(/not told of logouts: its backchannel_logout_uri must be an https URI/)
        .map(({ fields }) => fields['event']),
      ['client_not_told'],
    )
  })

  it('registers nothing while the feature is off, and remembers whether the ID tokens carry the sid', async () => {
    isOn = false
    assert.deepEqual((await write(sessionOf({ a: 's1' }), { request: requestOf('a') })).events, [])
    assert.deepEqual(
      (await write(sessionOf({ a: 's1', b: 's2' }), { request: requestOf('b', { uri: '' }) })).events,
      [],
    )
    assert.deepEqual((await write(sessionOf({ a: 's1', b: 's2' }))).events, [])
    isOn = true
    assert.deepEqual(registrations(await write(sessionOf({ a: 's1', b: 's2' }))), [
      ['a', 's1', true, undefined],
      ['b', 's2', false, undefined],
    ])
  })

  it('while the feature is off records the end of what was registered before, and of nothing else', async () => {
    await write(sessionOf({ a: 's1' }), { request: requestOf('a') })
    isOn = false
    await write(sessionOf({ a: 's1', b: 's2' }), { request: requestOf('b') })
    assert.deepEqual((await write(sessionOf({ a: 's1' }))).events, [])
    const [end, ...more] = (await write(undefined)).events
    assert.deepEqual(more, [])
    assert.equal(end?.data['logins'], 1)
  })

  it('registers what is not registered yet when it ends: older sessions are told too', async () => {
    state = { payload: sessionOf({ a: 's1', b: 's2' }) } // written without the plugin
    const alone = await write(sessionOf({ b: 's2' }))
    assert.deepEqual(
      alone.events.map(({ type, data }) => [type, data['oidc_session_id'] ?? data['scope']]),
      [
        ['session_logout.back_channel.registered', 's1'],
        ['session_logout.back_channel.registered', 's2'],
        ['session_logout.terminated', ['s1']],
      ],
    )
    state = { payload: sessionOf({ a: 's1', b: 's2' }) }
    assert.equal(registrations(await write(undefined)).length, 2)
  })

  it('does not trust its note about logins that somebody without it has written', async () => {
    await write(sessionOf({ a: 's1' }), { request: requestOf('a') })
    state = { ...state, payload: sessionOf({ a: 's1', b: 's2' }) }
    await write(sessionOf({ a: 's1', b: 's2' }))
    const [a, b] = [...folded().registrations.values()]
    assert.deepEqual([a?.sid, a?.includeSid, a?.hasUri], ['s1', true, true], 'what was known stays known')
    assert.deepEqual([b?.sid, b?.includeSid, b?.hasUri], ['s2', false, false])
  })

  it('ends the login before when a client has another sid', async () => {
    await write(sessionOf({ a: 's1' }), { request: requestOf('a') })
    const { events } = await write(sessionOf({ a: 's2' }), { request: requestOf('a') })
    assert.deepEqual(
      events.map(({ type, data }) => [type, data['oidc_session_id'] ?? data['scope']]),
      [
        ['session_logout.back_channel.registered', 's2'],
        ['session_logout.terminated', ['s1']],
      ],
    )
  })

  it('records nothing of a session that nobody is logged in with', async () => {
    const { accountId: _, ...anonymous } = sessionOf({ a: 's1' })
    assert.deepEqual((await write(anonymous)).events, [])
    assert.deepEqual((await write(undefined)).events, [])
  })

  it('records nothing before the plugin was started', async () => {
    const idle = new BackChannelObserver()
    const change = { uid: 'uid', before: sessionOf({ a: 's1' }), after: sessionOf({}) }
    assert.deepEqual(await idle.sessionChanges(change), { events: [] })
    idle.committed({ position: 1, id: 'commit' }, [])
  })

  it('says why, by whom and for which client a session ended, and as part of what', async () => {
    await write(sessionOf({ a: 's1' }), { request: requestOf('a') })
    const cause = { reason: 'account_disabled', actor: 'ops', initiatingClient: 'a', terminationId: 'one' }
    const [end] = (await write(undefined, { cause })).events
    assert.deepEqual(end?.data, {
      reason: 'account_disabled',
      triggered_at_origin: ISSUER,
      scope: 'session',
      logins: 1,
      actor: 'ops',
      by_client: 'a',
    })
    assert.ok(end?.also?.includes('termination:one'))
  })

  it('records an end that an operator orders while the feature is off, and no other', async () => {
    isOn = false
    await write(sessionOf({ a: 's1' }), { request: requestOf('a') })
    assert.equal((await write(sessionOf({}), { cause: { reason: 'admin', actor: 'ops' } })).events.length, 1)
    assert.deepEqual((await write(undefined)).events, [])
  })

  for (const [what, odd] of [
    ['half a surrogate pair', '\ud800'],
    ['a megabyte', 'x'.repeat(1_000_000)],
  ] as const) {
    it(`records nothing of names with ${what}, and breaks nobody's login`, async () => {
      const both = sessionOf({ [odd]: 's1', fine: 's2', rp: odd })
      for (const request of [requestOf('fine'), requestOf(odd), requestOf('rp')]) await write(both, { request })
      await write(sessionOf({ fine: 's2' }))
      state = state && { ...state, payload: { ...state.payload, state: { clientId: odd } } }
      await write(undefined, { request: requestOf('fine', { route: 'end_session_confirm' }) })
      for (const events of recorded) if (events.length > 0) assert.ok(prepare({ events }).bytes < 4_096)
      const owed = folded().terminations.flatMap((end) => end.owed.map(({ registration }) => registration.sid))
      assert.deepEqual(owed, ['s2'])
    })
  }

  it('owes each login that ends its token once, with a sid exactly when an ID token had it', async () => {
    const client = fc.constantFrom('a', 'b', '__proto__')
    const step = fc.oneof(
      fc.record({ kind: fc.constant('login' as const), client, required: fc.boolean() }),
      fc.record({ kind: fc.constant('logout' as const), client }),
      fc.record({ kind: fc.constant('gate' as const), on: fc.boolean() }),
      fc.record({ kind: fc.constant('write' as const) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        isOn = true
        state = undefined
        recorded = []
        let next = 0
        const sids = new Map<string, string>()
        const carried = new Set<string>()
        const ended: string[] = []
        for (const one of steps) {
          if (one.kind === 'gate') isOn = one.on
          else if (one.kind === 'login') {
            if (!sids.has(one.client)) sids.set(one.client, `s${next++}`)
            if (one.required) carried.add(String(sids.get(one.client)))
            const request = requestOf(one.client, { required: one.required })
            await write(sessionOf(Object.fromEntries(sids)), { request })
          } else if (one.kind === 'logout') {
            const sid = sids.get(one.client)
            sids.delete(one.client)
            if (isOn && sid !== undefined) ended.push(sid)
            await write(sessionOf(Object.fromEntries(sids)))
          } else await write(sessionOf(Object.fromEntries(sids)))
        }
        isOn = true
        ended.push(...sids.values())
        await write(undefined)
        const told = folded().terminations.flatMap((end) => [...end.owed, ...end.undecided])
        for (const sid of ended) {
          const tokens = told.filter(({ registration }) => registration.sid === sid)
          assert.ok(tokens.length <= 1, `${sid} is told ${tokens.length} times`)
          assert.ok(tokens.length === 1 || !carried.has(sid), `${sid} is not told`)
        }
        for (const { registration } of told)
          if (registration.includeSid) assert.ok(carried.has(registration.sid), `${registration.sid} was never given`)
      }),
      { numRuns: 300 },
    )
  })
})
