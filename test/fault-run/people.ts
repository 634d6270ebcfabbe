import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import { switchAccount } from '../support/account-switch.ts'
import { Client, Person } from '../support/op.ts'
import type { RelyingParty } from '../support/rp.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { UserAgent } from '../support/user-agent.ts'
import type { OpFleet } from './op-fleet.ts'

/** How a person's session ends. */
export type Way =
  | 'RP-initiated'
  | 'RP-initiated, one RP alone'
  | 'account switch'
  | 'operator, one session'
  | 'operator, the account'
  | 'never'

/** A login that an RP knows of: the OP has sent the browser back with a code. */
export interface Login {
  readonly clientId: string
  /** As the ID token says, where the RP has exchanged the code. */
  readonly sid?: string
}

/** What a person did, as the person knows it. */
export interface Visit {
  readonly account: string
  readonly logins: readonly Login[]
  readonly way: Way
  /** Whether the OP has said that it was done. */
  readonly acknowledged: boolean
}

/** So many of a hundred go this way. */
const WAYS: readonly (readonly [Way, number])[] = [
  ['RP-initiated', 61],
  ['RP-initiated, one RP alone', 10],
  ['account switch', 10],
  ['operator, one session', 7],
  ['operator, the account', 7],
  ['never', 5],
]

/** A person waits so long for an answer, and tries again for so long, in milliseconds. */
const PATIENCE_MS = 10_000
const PERSISTENCE_MS = 90_000

export interface PeopleParts {
  readonly issuer: string
  readonly fleet: OpFleet
  readonly rps: readonly RelyingParty[]
  readonly seed: number
}

/** People who log in at a few RPs and log out, each in a browser of their own, and try again what fails. */
export class People {
  /** How often something was tried again, by what had gone wrong. */
  readonly repeated: Map<string, number> = new Map()
  /** Who gave up, and what the last trouble was. */
  readonly gaveUp: string[] = []
  readonly #parts: PeopleParts

  constructor(parts: PeopleParts) {
    this.#parts = parts
  }

  /** The visit of this number: what it does depends on the seed alone. */
  async visit(number: number): Promise<Visit> {
    const random = seededRandom(this.#parts.seed * 1_000_003 + number)
    const account = `person-${number}`
    const person = new Person(this.#parts, new UserAgent(PATIENCE_MS))
    const logins: Login[] = []
    const way = pickWay(random)
    try {
      for (const rp of pickRps(this.#parts.rps, random)) logins.push(await this.#logIn(person, account, rp, random))
      const [first] = logins
      if (way === 'never' || !first) return { account, logins, way, acknowledged: false }
      await this.#persistently(() => this.#end(person, account, first.clientId, way))
      return { account, logins, way, acknowledged: true }
    } catch (error) {
      this.gaveUp.push(`${account} (${way}): ${String(error)}`)
      return { account, logins, way, acknowledged: false }
    }
  }

  async #logIn(person: Person, account: string, rp: RelyingParty, random: () => number): Promise<Login> {
    const { clientId, metadata } = rp
    const code = await this.#persistently(async () => {
      const answer = await person.authorize(clientId, { login: account })
      const got = answer.get('code')
      if (got === null) throw new Error(`no code: ${answer}`)
      return got
    })
    if (random() < 0.7) return { clientId }
    const exchanged = await new Client(this.#parts, metadata).exchange(code).catch(() => undefined)
    const idToken = exchanged?.body['id_token']
    return { clientId, ...(typeof idToken === 'string' && { sid: String(decodeJwt(idToken)['sid']) }) }
  }

  async #end(person: Person, account: string, clientId: string, way: Exclude<Way, 'never'>): Promise<void> {
    const { fleet } = this.#parts
    switch (way) {
      case 'RP-initiated':
      case 'RP-initiated, one RP alone': {
        const page = await person.endSession({ client_id: clientId })
        const { status, text } = await person.confirm(page, way === 'RP-initiated')
        if (status >= 400) throw new Error(`unexpected answer ${status}: ${text}`)
        return
      }
      case 'account switch':
        await switchAccount(person.agent, person.authorizationUrl(clientId, { prompt: 'login' }), `other-${account}`)
        return
      case 'operator, one session':
        await fleet.terminate({ cookie: String(person.agent.cookie('_session')) })
        return
      case 'operator, the account':
        await fleet.terminate({ accountId: account })
        return
    }
  }

  async #persistently<T>(step: () => Promise<T>): Promise<T> {
    const until = performance.now() + PERSISTENCE_MS
    for (;;) {
      try {
        return await step()
      } catch (error) {
        if (performance.now() > until) throw error
        const trouble = troubleOf(error)
        this.repeated.set(trouble, (this.repeated.get(trouble) ?? 0) + 1)
        await sleep(250)
      }
    }
  }
}

function pickWay(random: () => number): Way {
  let rest = random() * 100
  for (const [way, share] of WAYS) {
    rest -= share
    if (rest < 0) return way
  }
  return 'never'
}

/** One to four, each once. */
function pickRps(rps: readonly RelyingParty[], random: () => number): RelyingParty[] {
  const left = [...rps]
  return Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
    left.splice(Math.floor(random() * left.length), 1),
  ).flat()
}

function troubleOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return 'no answer in time'
  const { cause } = error as { readonly cause?: { readonly code?: unknown } }
  if (typeof cause?.code === 'string') return cause.code
  return /unexpected answer \d+/.exec(error.message)?.[0] ?? error.message.split('\n', 1)[0] ?? error.name
}
