import { decodeJwt, type JWK } from 'jose'
import { verifyLogoutToken } from '../../plugins/back-channel-logout-receiver/index.ts'
import { type Behaviour, type RelyingParty, startRp } from '../support/rp.ts'

/** How an RP does. A third is unwell: those that will be back are told, the others become dead letters. */
export type Health = 'well' | 'out now and then' | 'failing' | 'hanging'

/** A good logout token, as an RP got it. */
export interface Received {
  readonly clientId: string
  readonly sub: string
  readonly sid: string
  readonly jti: string
  /** `iat`, seconds since 1970. */
  readonly issuedAt: number
  /** Whether the RP said 200. */
  readonly taken: boolean
}

/** RPs by client id. */
const CAST: Readonly<Record<string, Health>> = {
  'rp-1': 'well',
  'rp-2': 'well',
  'rp-3': 'well',
  'rp-4': 'well',
  'rp-5': 'well',
  'rp-6': 'well',
  'rp-7': 'failing',
  'rp-8': 'hanging',
  'rp-9': 'out now and then',
}

/** Of so many requests the first few fall into the outage of an RP that is out now and then. */
const OUTAGE_EVERY = 60
const OUTAGE_REQUESTS = 12

/** It is back before any one delivery has spent its attempts: what is due to a live RP must never become a dead letter. */
const OUTAGE_ATTEMPTS = 4

/** RPs that check each logout token with the OP's keys, and remember it. */
export class ToldRps {
  readonly all: readonly RelyingParty[]
  readonly received: Received[] = []
  /** What they got that is no good logout token, and why. */
  readonly refused: string[] = []
  readonly #options: { readonly issuer: string; readonly jwks: { readonly keys: JWK[] } }

  static async start(issuer: string, key: JWK): Promise<ToldRps> {
    const rps = await Promise.all(Object.keys(CAST).map((clientId) => startRp(clientId)))
    const { kty, n, e, kid } = key // what the OP publishes
    return new ToldRps(rps, { issuer, jwks: { keys: [{ kty, n, e, kid } as JWK] } })
  }

  private constructor(rps: readonly RelyingParty[], options: { issuer: string; jwks: { keys: JWK[] } }) {
    this.all = rps
    this.#options = options
    for (const rp of rps) rp.behave(this.#behaviour(rp, CAST[rp.clientId] ?? 'well'))
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((rp) => rp.stop()))
  }

  #behaviour({ clientId }: RelyingParty, health: Health): Behaviour {
    let requests = 0
    const refusals = new Map<unknown, number>()
    return async (token, response) => {
      const { sid } = decodeJwt(token)
      const refused = refusals.get(sid) ?? 0
      const isOut = requests++ % OUTAGE_EVERY < OUTAGE_REQUESTS && refused < OUTAGE_ATTEMPTS
      if (isOut) refusals.set(sid, refused + 1)
      const taken = health === 'well' || (health === 'out now and then' && !isOut)
      if (!(await this.#note(clientId, token, taken))) response.writeHead(400).end()
      else if (taken) response.writeHead(200).end()
      else if (health === 'failing') response.writeHead(500).end()
      else if (health === 'out now and then') response.writeHead(503, { 'retry-after': '1' }).end()
      // One that hangs never answers.
    }
  }

  async #note(clientId: string, token: string, taken: boolean): Promise<boolean> {
    try {
      const { sub, sid, jti, issuedAt } = await verifyLogoutToken(token, { ...this.#options, audience: clientId })
      if (sub === undefined || sid === undefined) throw new Error(`sub is ${sub}, sid is ${sid}`)
      this.received.push({ clientId, sub, sid, jti, issuedAt, taken })
      return true
    } catch (error) {
      this.refused.push(`${clientId}: ${String(error)}`)
      return false
    }
  }
}

/** Whether the RP answers 200, if not at once. */
export function isLive(clientId: string): boolean {
  const health = CAST[clientId]
  return health === 'well' || health === 'out now and then'
}
