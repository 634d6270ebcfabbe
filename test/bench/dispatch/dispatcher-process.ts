// One who sends logout tokens, in a process of its own: `node dispatcher-process.ts <setup as JSON>`. Asked for so many
// deliveries it sends them, and tells how long that took.
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose'
import { MongoClient } from 'mongodb'
import Provider, { type ClientMetadata } from 'oidc-provider'
import { request } from 'undici'
import { MongoEventStore } from '../../../adapters/mongodb/index.ts'
import { eventSourced, silent } from '../../../lib/index.ts'
import { backChannelLogout } from '../../../plugins/back-channel-logout/index.ts'
import type { Turn } from '../contest.ts'
import { KEYS } from '../keys.ts'
import { rpClient } from '../rps/rp-client.ts'
import { DeliveryRows } from './delivery-rows.ts'

export type SenderKind = 'a loop of sign and fetch' | 'a loop of sign and undici.request' | 'this package'

export interface SenderSetup {
  readonly kind: SenderKind
  readonly alg: 'RS256' | 'ES256'
  readonly rps: number
  readonly rpPort: number
  readonly uri: string
  readonly database: string
}

/** What the policy of the plugin allows by default, so that all have as many requests in flight. */
const IN_FLIGHT = { most: 256, perRp: 16 }

const setup = JSON.parse(process.argv[2] ?? '') as SenderSetup
const issuer = 'http://127.0.0.1:3000'
for (const method of ['info', 'warn'] as const) console[method] = () => {} // oidc-provider on development features
const { privateKey } = await generateKeyPair(setup.alg, { extractable: true })
const jwk: JWK = { ...(await exportJWK(privateKey)), kid: 'benchmark', use: 'sig', alg: setup.alg }
const clients = Array.from({ length: setup.rps }, (_, index) =>
  rpClient(`rp-${index}`, index, { port: setup.rpPort, id_token_signed_response_alg: setup.alg }),
)
const send = setup.kind === 'this package' ? await ours() : await loop()
process.on('message', (deliveries: number) => void send(deliveries).then((turn) => process.send?.(turn)))
process.on('disconnect', () => process.exit())
process.send?.('ready')

async function ours(): Promise<(deliveries: number) => Promise<Turn>> {
  const client = new MongoClient(setup.uri)
  const store = await MongoEventStore.open(client.db(setup.database), { keys: KEYS, logger: silent })
  const logout = backChannelLogout({ development: true, allowInternal: clients.map(({ client_id }) => client_id) })
  const op = eventSourced(store, { plugins: [logout], logger: silent })
  const configuration = op.configure({ clients, jwks: { keys: [jwk] } } as never)
  const provider = new Provider(issuer, configuration as never)
  await op.start(provider)
  let confirmed = 0
  let reached = (): void => {}
  let wanted = 0
  provider.on('backchannel.success', () => {
    if (++confirmed === wanted) reached()
  })
  const work = store.work('deliveries')
  const rows = new DeliveryRows(store, client.db(setup.database), issuer)
  return async (deliveries) => {
    await rows.add(deliveries, setup.rps)
    confirmed = 0
    wanted = deliveries
    const done = new Promise<void>((resolve) => {
      reached = resolve
    })
    await rows.makeDue()
    const cpu = process.cpuUsage()
    const began = performance.now()
    await logout.retry({ client: 'rp-0' })
    await done
    const tookMs = performance.now() - began
    while ((await work.countOpen()) > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    const { user, system } = process.cpuUsage(cpu)
    return { done: deliveries, tookMs, cpuMs: (user + system) / 1_000, eachMs: [] }
  }
}

/** What somebody writes who has no plugin: nothing is recorded, nothing is tried again. */
async function loop(): Promise<(deliveries: number) => Promise<Turn>> {
  const key = await importJWK(jwk, setup.alg)
  const post = setup.kind === 'a loop of sign and fetch' ? postByFetch : postByUndici
  return async (deliveries) => {
    let left = deliveries
    const eachMs: number[] = []
    const cpu = process.cpuUsage()
    const began = performance.now()
    const walk = async (): Promise<void> => {
      while (left-- > 0) {
        const started = performance.now()
        const { client_id: aud, backchannel_logout_uri: uri } = clients[left % setup.rps] as ClientMetadata
        const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
        const token = await new SignJWT({ events, sid: `sid-${left}`, sub: 'somebody' })
          .setProtectedHeader({ alg: setup.alg, typ: 'logout+jwt', kid: 'benchmark' })
          .setIssuer(issuer)
          .setAudience(String(aud))
          .setIssuedAt()
          .setExpirationTime('2m')
          .setJti(`${left}`)
          .sign(key)
        await post(String(uri), new URLSearchParams({ logout_token: token }).toString())
        eachMs.push(performance.now() - started)
      }
    }
    const inFlight = Math.min(IN_FLIGHT.most, IN_FLIGHT.perRp * setup.rps)
    await Promise.all(Array.from({ length: inFlight }, walk))
    const { user, system } = process.cpuUsage(cpu)
    return { done: deliveries, tookMs: performance.now() - began, cpuMs: (user + system) / 1_000, eachMs }
  }
}

const headers = { 'content-type': 'application/x-www-form-urlencoded' }

async function postByFetch(uri: string, body: string): Promise<void> {
  const response = await fetch(uri, { method: 'POST', headers, body })
  await response.arrayBuffer()
}

async function postByUndici(uri: string, body: string): Promise<void> {
  const response = await request(uri, { method: 'POST', headers, body })
  await response.body.dump()
}
