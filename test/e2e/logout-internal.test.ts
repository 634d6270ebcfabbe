import assert from 'node:assert/strict'
import type { Configuration } from 'oidc-provider'
import type { ReceiptEntry } from '../../plugins/back-channel-logout/index.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'
import { quickClock } from '../support/quick-clock.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'

/** Tries often enough that a test sees the next one. */
const OFTEN = { retryDelaysMs: Array.from({ length: 100 }, () => 500), jitter: 0 }

/** Names that a client might hope for. */
const HOPES = {
  allowInternal: true,
  allow_internal: true,
  internal: true,
  inside: true,
  network: { allow: true },
  network_permission: 'allowed',
  'network_permission.allowed': true,
}

describe('an RP inside the operators’ network', () => {
  it('is told once an operator allows it, and not any more once that is taken back', async () => {
    const logout = { allowInternal: [], delivery: OFTEN }
    const scene = await LogoutScene.start({ intranet: {} }, { logout, clock: quickClock(20) })
    try {
      const { network } = scene.logout
      const person = new Person(scene.op)
      await person.authorize('intranet')
      await person.logout()
      assert.match(await whyNotYet(scene), /SPECIAL_USE_ADDRESS/)
      await network.allow('intranet', { actor: 'ann' })
      assert.equal((await scene.receipt()).ends[0]?.relyingParties[0]?.state, 'confirmed')
      await network.disallow('intranet', { actor: 'ann' })
      await person.authorize('intranet')
      await person.logout()
      assert.match(await whyNotYet(scene), /SPECIAL_USE_ADDRESS/)
      assert.equal(scene.rps.intranet.tokens.length, 1)
    } finally {
      await scene.stop()
    }
  })

  it('is told though nobody knew its id, where the operators’ rule allows clients that register themselves', async () => {
    const [staged, stranger] = [await startRp('staged'), await startRp('stranger')]
    const configuration = { features: { registration: { enabled: true } } } as Configuration
    const asked: unknown[] = []
    const allowInternal = (client: { readonly clientId: string; readonly [metadata: string]: unknown }): boolean => {
      asked.push(client['backchannelLogoutUri'])
      return client['clientName'] === 'staged'
    }
    const logout = { allowInternal, delivery: OFTEN }
    const scene = await LogoutScene.start({}, { configuration, logout, clock: quickClock(20) })
    try {
      for (const rp of [staged, stranger]) {
        const { client_id, client_secret: _secret, ...metadata } = rp.metadata
        const response = await fetch(`${scene.op.issuer}/reg`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ ...metadata, client_name: client_id }),
        })
        const registered = (await response.json()) as Record<string, unknown>
        const person = new Person(scene.op)
        await person.authorize(String(registered['client_id']))
        await person.logout()
        if (rp === staged) await rp.received(1)
        else assert.match(await whyNotYet(scene), /SPECIAL_USE_ADDRESS/)
      }
      assert.deepEqual([...new Set(asked)], [staged.uri, stranger.uri])
      assert.deepEqual(stranger.tokens, [])
    } finally {
      await scene.stop()
      await Promise.all([staged.stop(), stranger.stop()])
    }
  })

  it('cannot allow itself by what it registers, though the application keeps every member of it', async () => {
    const rp: RelyingParty = await startRp('hopeful')
    const configuration = {
      features: { registration: { enabled: true } },
      extraClientMetadata: { properties: Object.keys(HOPES) },
    } as Configuration
    const scene = await LogoutScene.start({}, { configuration, logout: { delivery: OFTEN }, clock: quickClock(20) })
    try {
      const { client_id: _given, client_secret: _secret, ...metadata } = rp.metadata
      const response = await fetch(`${scene.op.issuer}/reg`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...metadata, ...HOPES }),
      })
      const registered = (await response.json()) as Record<string, unknown>
      assert.equal(response.status, 201)
      for (const [member, value] of Object.entries(HOPES)) assert.deepEqual(registered[member], value)
      const clientId = String(registered['client_id'])
      const person = new Person(scene.op)
      await person.authorize(clientId)
      await person.logout()
      assert.match(await whyNotYet(scene), /SPECIAL_USE_ADDRESS/)
      assert.deepEqual(rp.tokens, [])
      await scene.logout.network.allow(clientId, { actor: 'ann' })
      await rp.received(1)
    } finally {
      await scene.stop()
      await rp.stop()
    }
  })
})

/** Why the RP could not be told of the last end, once that is known. */
async function whyNotYet(scene: LogoutScene<string>): Promise<string> {
  const uid = (await scene.ended()).at(-1) ?? ''
  for (;;) {
    const [entry]: readonly ReceiptEntry[] = (await scene.logout.receipt(uid)).ends[0]?.relyingParties ?? []
    if (entry?.failureReason !== undefined) return entry.failureReason
    await new Promise((resolve) => setImmediate(resolve))
  }
}
