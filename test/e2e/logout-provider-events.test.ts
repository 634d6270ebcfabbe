import assert from 'node:assert/strict'
import { ProviderUnfitError } from '../../lib/index.ts'
import type { LogoutNotConfirmed } from '../../plugins/back-channel-logout/index.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'

/** What the provider says of back-channel logouts. */
interface Emitted {
  readonly event: 'success' | 'error'
  readonly ctx: unknown
  readonly clientId: string
  readonly accountId: string
  readonly sid: string
  readonly error?: LogoutNotConfirmed
}

/** A client of oidc-provider; the method is missing in its types. */
interface CallableClient {
  backchannelLogout(sub: string, sid: string): Promise<void>
}

describe("the provider's events on back-channel logout", () => {
  let scene: LogoutScene<'well' | 'failing'>
  let emitted: Emitted[]

  beforeEach(async () => {
    scene = await LogoutScene.start(
      { well: {}, failing: {} },
      {
        logout: { development: true, allowInternal: ['well', 'failing'], delivery: { retryDelaysMs: [0, 3_600_000] } },
      },
    )
    emitted = []
    const { provider } = scene.op
    provider.on('backchannel.success', (ctx, client, accountId, sid) => {
      emitted.push({ event: 'success', ctx, clientId: client.clientId, accountId, sid })
    })
    provider.on('backchannel.error', (ctx, error, client, accountId, sid) => {
      const { clientId } = client
      emitted.push({ event: 'error', ctx, error: error as LogoutNotConfirmed, clientId, accountId, sid })
    })
  })

  afterEach(() => scene.stop())

  it('are silent while the user logs out, and follow what each RP answers', async () => {
    let answer = (): void => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    scene.rps.well.behave(async (_token, response) => {
      await answered
      response.writeHead(200).end()
    })
    const person = new Person(scene.op)
    await person.authorize('well')
    await person.logout()
    await scene.rps.well.received(1)
    assert.deepEqual(emitted, [])
    answer()
    await scene.receipt()
    await scene.quiet()
    const [uid = ''] = await scene.ended()
    const [entry] = (await scene.logout.receipt(uid)).ends[0]?.relyingParties ?? []
    assert.deepEqual(emitted, [
      { event: 'success', ctx: undefined, clientId: 'well', accountId: 'alice', sid: entry?.sid },
    ])
  })

  it('tell each attempt that failed, with what the RP said and whether it is the last one', async () => {
    scene.rps.failing.behave((_token, response) => void response.writeHead(503).end())
    const person = new Person(scene.op)
    await person.authorize('failing')
    await person.logout()
    await scene.rps.failing.received(2)
    while (emitted.length < 2) await new Promise((resolve) => setImmediate(resolve))
    scene.rps.failing.behave((_token, response) => void response.writeHead(410).end())
    await scene.logout.retry({ client: 'failing' })
    await scene.receipt()
    await scene.quiet()
    assert.deepEqual(
      emitted.map(({ event, clientId, error }) => [event, clientId, error?.attempt, error?.status, error?.final]),
      [
        ['error', 'failing', 1, 503, false],
        ['error', 'failing', 2, 503, false],
        ['error', 'failing', 3, 410, true],
      ],
    )
    assert.equal(emitted[0]?.error?.message, 'HTTP 503')
  })

  it('say nothing while the feature is off', async () => {
    const person = new Person(scene.op)
    await person.authorize('well')
    await scene.op.eventSourced.features.set('back_channel_logout', false, { level: 'instance', actor: 'ann' })
    await person.logout()
    await scene.op.eventSourced.features.set('back_channel_logout', true, { level: 'instance', actor: 'ann' })
    await scene.rps.well.received(1)
    await scene.receipt()
    assert.deepEqual(
      emitted.map(({ event }) => event),
      ['success'],
    )
  })

  it('lose no delivery to a listener that throws', async () => {
    scene.op.provider.prependListener('backchannel.success', () => {
      throw new Error('a listener of the application')
    })
    const person = new Person(scene.op)
    await person.authorize('well')
    await person.logout()
    const { settled } = await scene.receipt()
    assert.equal(settled, true)
    await scene.quiet()
    assert.equal(scene.rps.well.tokens.length, 1)
  })

  it('are not what application code gets that has oidc-provider send a logout token: it is told where to go', async () => {
    const client = (await scene.op.provider.Client.find('well')) as unknown as CallableClient
    const call = client.backchannelLogout('alice', 'a sid')
    await assert.rejects(call, (error: Error) => {
      assert.ok(error instanceof ProviderUnfitError)
      assert.equal(error.code, 'PROVIDER_UNFIT')
      assert.match(
        error.message,
        /logout\.terminateSession\(uid, …\).*logout\.terminateAccount.*logout\.terminateClient/,
      )
      return true
    })
    assert.deepEqual(scene.rps.well.tokens, [])
  })
})
