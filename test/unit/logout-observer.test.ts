import assert from 'node:assert/strict'
import { ephemeralKeys, type JsonObject, KeyRing, type Observation, silent } from '../../lib/index.ts'
import type { OidcClient, OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import { BackChannelObserver } from '../../plugins/back-channel-logout/session-observer.ts'

const session = {
  jti: 'cookie',
  uid: 'uid',
  accountId: 'alice',
  authorizations: { plain: { sid: 's1' }, told: { sid: 's2' } },
}

describe('the observer of sessions', () => {
  let loaded: string[]
  let isOn: boolean
  let observer: BackChannelObserver

  beforeEach(() => {
    loaded = []
    isOn = true
    observer = new BackChannelObserver()
    const find = async (clientId: string): Promise<OidcClient> => {
      loaded.push(clientId)
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
      logger: silent,
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

  function write(note: JsonObject | undefined): Promise<Observation> {
    return observer.sessionChanges({ uid: 'uid', before: session, after: session, ...(note && { note }) })
  }
})
