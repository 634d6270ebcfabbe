import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'
import { SteeredStore } from '../support/steered-store.ts'

const RP = testClient('rp')

/** What a listener does, and whether it holds afterwards. */
interface Write {
  /** The streams that it reads before it writes. Absent: it writes at once. */
  readonly reads?: string
  do(op: Op, issued: Issued): Promise<void>
  holds(op: Op, issued: Issued): Promise<boolean>
}

/** What the RP was issued. */
interface Issued {
  readonly accessToken: string
  readonly refreshToken: string
  readonly grantId: string
}

const WRITES: Readonly<Record<string, Write>> = {
  'destroys a token': {
    reads: 'AccessToken:',
    do: (op, { accessToken }) => op.eventSourced.adapter('AccessToken').destroy(accessToken),
    holds: async (op, { accessToken }) => (await op.provider.AccessToken.find(accessToken)) === undefined,
  },
  'uses a token up': {
    reads: 'RefreshToken:',
    do: (op, { refreshToken }) => op.eventSourced.adapter('RefreshToken').consume(refreshToken),
    holds: async (op, { refreshToken }) =>
      (await op.eventSourced.adapter('RefreshToken').find(refreshToken))?.['consumed'] !== undefined,
  },
  'revokes what was issued under a grant': {
    do: (op, { grantId }) => op.eventSourced.adapter('AccessToken').revokeByGrantId(grantId),
    holds: async (op, { accessToken }) => (await op.provider.AccessToken.find(accessToken)) === undefined,
  },
  'stores something of the application': {
    reads: 'Visit:',
    do: (op) => op.eventSourced.adapter('Visit').upsert('alice', { times: 1 }),
    holds: async (op) => (await op.eventSourced.adapter('Visit').find('alice'))?.['times'] === 1,
  },
}

describe('a listener of oidc-provider’s events, which nobody awaits', () => {
  let store: SteeredStore
  let op: Op

  beforeEach(async () => {
    store = new SteeredStore(new MemoryEventStore())
    // The RP's tokens outlive the logout.
    const configuration = { expiresWithSession: async () => false, revokeGrantPolicy: () => false }
    op = await startOp(store, { clients: [RP], configuration })
  })
  afterEach(async () => {
    await op.stop()
    await store.close()
  })

  for (const [what, write] of Object.entries(WRITES)) {
    for (const when of ['while the request commits', 'when the request has been answered'] as const) {
      it(`that ${what} has done so when it says so, though it looks something up ${when}`, async () => {
        const person = new Person(op)
        const more = { scope: 'openid offline_access', prompt: 'consent' }
        const code = (await person.authorize('rp', more)).get('code') ?? ''
        const { body } = await new Client(op, RP).exchange(code)
        const [accessToken, refreshToken] = [String(body['access_token']), String(body['refresh_token'])]
        const grantId = (await op.provider.AccessToken.find(accessToken))?.grantId ?? ''
        const issued = { accessToken, refreshToken, grantId }
        const page = await person.endSession()

        const come = signal()
        let isListening = false
        store.beforeRead = (streams) =>
          isListening && streams.some((stream) => write.reads && stream.startsWith(write.reads))
            ? come.given
            : undefined
        if (when === 'while the request commits') store.beforeAppend = () => come.give()
        const written = new Promise<void>((resolve, reject) => {
          op.provider.once('end_session.success', () => {
            isListening = true
            write.do(op, issued).then(resolve, reject)
          })
        })
        assert.equal((await person.confirm(page)).status, 303)
        come.give()
        await written
        store.beforeRead = store.beforeAppend = undefined
        assert.equal(await write.holds(op, issued), true)
      })
    }
  }
})

function signal(): { readonly given: Promise<void>; give(): void } {
  let give = (): void => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give: () => give() }
}
