import { randomBytes } from 'node:crypto'
import type { Clock, Logger } from '../../../lib/index.ts'
import { answeredInTime } from '../clients/answered-in-time.ts'
import { uriProblem } from '../clients/client-metadata.ts'
import type { Network } from '../network/network.ts'
import type { OidcClient, OidcProvider } from '../provider-internals.ts'
import { clearTextOf } from '../recording/clear-text.ts'
import { answerInTime } from './answer-in-time.ts'
import { classifyResponse } from './classify-response.ts'
import type { ClientTest } from './client-test.ts'
import { type DeliveryPolicy, policyFor } from './delivery-policy.ts'
import { makeLogoutToken } from './logout-token.ts'
import { keptAnswer } from './mask-tokens.ts'

/** What RPs are tested with. */
export interface ClientTesterParts {
  readonly provider: OidcProvider
  readonly network: Network
  readonly clock: Clock
  readonly logger: Logger
  readonly policy: DeliveryPolicy
  readonly development: boolean
  readonly isInside: (client: OidcClient) => boolean
  /** Whether anything may be sent now. */
  readonly isOn: () => boolean
}

/** So many RPs are tested at a time. */
const AT_ONCE = 4

type NotSent = Extract<ClientTest, { readonly kind: 'not_sent' }>

/** What an answer would mean for a delivery. */
const VERDICTS = { confirmed: 'confirmed', gone: 'rejected', bad_request: 'retried', again: 'retried' } as const

/**
 * Sends RPs logout tokens (Back-Channel Logout 1.0 section 2.4) whose `sub` and `sid` are random: as real as any other, and
 * they end nothing. Nothing is recorded of it, no delivery is spent, and no circuit hears of it.
 */
export class ClientTester {
  readonly #parts: ClientTesterParts
  /** The clients that are being tested. */
  readonly #testing = new Set<string>()

  constructor(parts: ClientTesterParts) {
    this.#parts = parts
  }

  async test(clientId: string, actor: string): Promise<ClientTest> {
    if (this.#testing.has(clientId) || this.#testing.size >= AT_ONCE)
      return notSent('busy', `a test of this RP is under way, or of ${AT_ONCE} others: wait for its answer`)
    this.#testing.add(clientId)
    try {
      const test = await this.#test(clientId)
      const outcome = test.kind === 'answered' ? { status: test.status } : { outcome: test.kind }
      this.#parts.logger.info(
        { event: 'rp_tested', client_id: clearTextOf(clientId), actor, ...outcome },
        'an operator has sent an RP a logout token that nobody has',
      )
      return test
    } finally {
      this.#testing.delete(clientId)
    }
  }

  async #test(clientId: string): Promise<ClientTest> {
    const { provider, clock, policy, network, isInside, isOn, development } = this.#parts
    if (!isOn()) return notSent('feature_off', 'back-channel logout is off: switch it on first')
    const client = await answeredInTime(provider.Client.find(clientId), clock)
    if (!client) return notSent('client_unknown', 'this process does not know the client')
    const uri = client.backchannelLogoutUri
    if (!uri) return notSent('no_uri', 'the client has no backchannel_logout_uri')
    const problem = uriProblem(uri, development)
    if (problem !== undefined) return notSent('uri_invalid', `the client's backchannel_logout_uri ${problem}`)
    const { timeoutMs, confirmedBy, maxRetryAfterMs } = policyFor(policy, clientId)
    const sid = randomBytes(16).toString('base64url')
    const over = new AbortController()
    const timer = clock.setTimeout(() => over.abort(), timeoutMs)
    try {
      const token = await this.#tokenFor(client, sid)
      if (typeof token !== 'string') return token
      const options = { inside: isInside(client), signal: over.signal }
      const started = clock.monotonic()
      const post = () => network.post(new URL(uri).href, { logout_token: token }, options)
      const answer = await answerInTime(post, over.signal, clock)
      const sent = { tookMs: Math.round(clock.monotonic() - started), uri, sid }
      if (answer.kind === 'failed') return { kind: 'failed', error: answer.error, ...sent }
      const { verdict } = classifyResponse(answer, { confirmedBy, maxRetryAfterMs }, clock.now())
      const { status, body } = answer
      return { kind: 'answered', status, answer: keptAnswer(body), verdict: VERDICTS[verdict], ...sent }
    } finally {
      timer.cancel()
    }
  }

  async #tokenFor(client: OidcClient, sid: string): Promise<string | NotSent> {
    const { provider, clock, policy } = this.#parts
    const { sidOnly, tokenLifetimeSeconds: lifetimeSeconds } = policyFor(policy, client.clientId)
    const ended = {
      subject: `test-${randomBytes(16).toString('base64url')}`,
      sid: client.includeSid() ? sid : undefined,
      sidOnly,
      endedAt: clock.now(),
      lifetimeSeconds,
    }
    try {
      return await answeredInTime(makeLogoutToken(provider, client, ended), clock)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      return notSent('token_not_made', `the logout token could not be made: ${why}`)
    }
  }
}

function notSent(why: NotSent['why'], message: string): NotSent {
  return { kind: 'not_sent', why, message }
}
