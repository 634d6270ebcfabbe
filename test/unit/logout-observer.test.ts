import assert from 'node:assert/strict'
import {
  ephemeralKeys,
  type JsonObject,
  KeyRing,
  type Observation,
  OutcomeUnknownError,
  StoreClosedError,
  StoreRefusedError,
  StoreUnavailableError,
} from '../../lib/index.ts'
import type { OidcClient, OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import { BackChannelObserver } from '../../plugins/back-channel-logout/recording/session-observer.ts'
import { KeptLog } from '../support/kept-log.ts'

const session = {
  jti: 'cookie',
  uid: 'uid',
  accountId: 'alice',
  authorizations: { plain: { sid: 's1' }, told: { sid: 's2' } },
}

describe('the observer of sessions', () => {
  let loaded: string[]
  let isOn: boolean
  let failure: Error | undefined
  let log: KeptLog
  let observer: BackChannelObserver

  beforeEach(() => {
    loaded = []
    isOn = true
    failure = undefined
    log = new KeptLog()
    observer = new BackChannelObserver()
    const find = async (clientId: string): Promise<OidcClient> => {
      loaded.push(clientId)
      if (failure) throw failure
      return {
        clientId,
        includeSid: () => true,
        ...(clientId === 'told' && { backchannelLogoutUri: 'https://rp.example.com/' }),
      }
    }
    const provider = { issuer: 'https://op.example.com', Client: { find } } as unknown as OidcProvider
    observer.attach({
      provider,
      keys: new KeyRing(ephemeralKeys()),
      logger: log,
      development: false,
      isOn: () => isOn,
    })
  })

  it('loads the clients of a session it has not seen', async () => {
    const { events } = await write(undefined)
    assert.deepEqual(loaded, ['plain', 'told'])
    assert.deepEqual(
      events.map(({ data }) => data['client_id']),
      ['told'],
    )
  })

  it('loads none again at later writes, whether it is told or not', async () => {
    const { note } = await write(undefined)
    loaded.length = 0
    const later = await write(note)
    assert.deepEqual(loaded, [])
    assert.deepEqual(later.events, [])
    assert.deepEqual(later.note, note)
  })

  it('loads those of logins that came while the feature was off', async () => {
    isOn = false
    const { note, events } = await write(undefined)
    assert.deepEqual(events, [])
    isOn = true
    assert.equal((await write(note)).events.length, 1)
  })

  it('loads the client of a new login only', async () => {
    const { note } = await write(undefined)
    loaded.length = 0
    const after = { ...session, authorizations: { ...session.authorizations, third: { sid: 's3' } } }
    await observer.sessionChanges({ uid: 'uid', before: session, after, ...(note && { note }) })
    assert.deepEqual(loaded, ['third'])
  })

  it('gives a login that it saw made while the feature was off the sid that its ID token has', async () => {
    isOn = false
    const made = await observer.sessionChanges({ uid: 'uid', after: session })
    isOn = true
    const { events } = await write(made.note)
    assert.deepEqual(
      events.map(({ data }) => [data['client_id'], data['session_required']]),
      [['told', true]],
    )
  })

  it('registers a login that a process without it has added to a session that it knows, and gives it no sid', async () => {
    const empty = { ...session, authorizations: {} }
    const { note } = await observer.sessionChanges({ uid: 'uid', after: empty })
    const { events } = await write(note)
    assert.deepEqual(
      events.map(({ data }) => [data['client_id'], data['session_required']]),
      [['told', false]],
    )
  })

  for (const error of [
    new StoreUnavailableError('away'),
    new StoreClosedError(),
    new StoreRefusedError('no rights'),
    new OutcomeUnknownError('no answer'),
  ]) {
    it(`lets the write fail while the store cannot tell who the clients are: ${error.code}`, async () => {
      failure = error
      await assert.rejects(write(undefined), error)
      assert.deepEqual(log.lines, [])
    })
  }

  it('breaks nobody’s login by a client that is broken', async () => {
    failure = new Error('invalid_client_metadata')
    assert.deepEqual((await write(undefined)).events, [])
    assert.equal(log.of(/a client cannot be loaded/).length, 2)
  })

  function write(note: JsonObject | undefined): Promise<Observation> {
    return observer.sessionChanges({ uid: 'uid', before: session, after: session, ...(note && { note }) })
  }
})
