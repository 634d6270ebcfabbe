import assert from 'node:assert/strict'
import type { BackChannelLogout, DeliveryOptions, Receipt } from '../../plugins/back-channel-logout/index.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, type Op, Person, testClient } from '../support/op.ts'
import { ReverseProxy } from '../support/reverse-proxy.ts'
import { type Answer, UserAgent } from '../support/user-agent.ts'
import type { ForeignRp } from './foreign-rp.ts'

/** A client at which users are logged in too, and which wants to be told nothing. */
export const OTHER = 'other'

/** What application code sees of a session. */
export interface AppSession {
  readonly uid: string
  authorizations: Record<string, unknown>
  save(ttlSeconds: number): Promise<string>
  destroy(): Promise<void>
}

/** An OP, an RP that nobody here wrote, and another client. */
export class InteropScene {
  readonly rp: ForeignRp
  /** Stands before the RP's back-channel logout endpoint, where the test wants it; browsers go to the RP itself. */
  readonly proxy: ReverseProxy | undefined
  readonly #scene: LogoutScene<never>

  static async start(rp: ForeignRp, proxied: boolean, delivery: DeliveryOptions): Promise<InteropScene> {
    const proxy = proxied ? await ReverseProxy.start(rp.port) : undefined
    const client = testClient(rp.clientId, {
      ...rp.metadata,
      backchannel_logout_uri: `http://127.0.0.1:${proxy?.port ?? rp.port}${rp.backChannelPath}`,
    })
    const scene = await LogoutScene.start<never>(
      {},
      {
        others: [client, testClient(OTHER)],
        // What has expired ends at once.
        configuration: { clockTolerance: 0, features: { claimsParameter: { enabled: true } } },
        logout: {
          singleSessionTermination: true,
          allowInternal: [rp.clientId],
          delivery: { retryDelaysMs: [10, 10, 10], jitter: 0, timeoutMs: 60_000, ...delivery },
        },
      },
    )
    const interop = new InteropScene(scene, rp, proxy)
    try {
      await rp.start(scene.op.issuer, String(client.client_secret))
    } catch (error) {
      await interop.stop()
      throw error
    }
    return interop
  }

  private constructor(scene: LogoutScene<never>, rp: ForeignRp, proxy: ReverseProxy | undefined) {
    this.#scene = scene
    this.rp = rp
    this.proxy = proxy
  }

  get op(): Op {
    return this.#scene.op
  }

  get logout(): BackChannelLogout {
    return this.#scene.logout
  }

  /** Somebody with a browser of their own, whom nobody knows yet. */
  visitor(login: string = 'alice'): Visitor {
    return new Visitor(this, login, new UserAgent())
  }

  /** The receipt of this session, once nobody is still to be told. */
  receipt(uid: string): Promise<Receipt> {
    return this.#scene.receiptOf(uid)
  }

  async stop(): Promise<void> {
    await this.#scene.stop()
    await this.rp.stop()
    await this.proxy?.stop()
  }
}

/** A person with a browser, at the RP and at the OP. */
export class Visitor {
  readonly login: string
  readonly atOp: Person
  readonly #scene: InteropScene
  readonly #agent: UserAgent

  constructor(scene: InteropScene, login: string, agent: UserAgent) {
    this.#scene = scene
    this.login = login
    this.#agent = agent
    this.atOp = new Person(scene.op, agent)
  }

  /** Another browser with the cookies as they are now: whoever still holds them when they have changed here. */
  shadow(): Visitor {
    return new Visitor(this.#scene, this.login, this.#agent.clone())
  }

  /** Goes to the RP's page and logs in on the way. */
  async logIn(): Promise<void> {
    await this.#logInFrom(this.#scene.rp.page)
  }

  /** Logs in once more, although the RP still knows this browser. */
  async logInAgain(): Promise<void> {
    await this.#logInFrom(this.#scene.rp.login(this.#scene.op.issuer))
  }

  /** An ID token that the other client gets in this browser, with its session's id there. */
  async idToken(): Promise<string> {
    const claims = JSON.stringify({ id_token: { sid: null } })
    const code = await this.atOp.authorize(OTHER, { login: this.login, claims })
    const { body } = await new Client(this.#scene.op, testClient(OTHER)).exchange(String(code.get('code')))
    return String(body['id_token'])
  }

  /** Logs out by the RP's own link, and answers the OP's question: from everywhere, or from this RP alone. */
  async logOutHere(everywhere: boolean = true): Promise<void> {
    const toOp = await this.#agent.get(this.#scene.rp.logout)
    await this.atOp.confirm(await this.#agent.follow(toOp), everywhere)
  }

  /** The RP's page shows this person. */
  async isKnown(): Promise<void> {
    const { status, text } = await this.#page()
    assert.deepEqual({ status, text }, { status: 200, text: `You are ${this.login}` })
  }

  /** The RP's page sends this browser to the OP, to log in. */
  async isRefused(): Promise<void> {
    const { status, text, headers } = await this.#page()
    assert.equal(status, 302, text)
    assert.ok(headers.get('location')?.startsWith(`${this.#scene.op.issuer}/auth?`), String(headers.get('location')))
  }

  /** The session at the OP, as application code finds it. */
  async session(): Promise<AppSession> {
    const { Session } = this.#scene.op.provider as unknown as {
      Session: { find(cookie: string): Promise<AppSession | undefined> }
    }
    const session = await Session.find(this.#agent.cookie('_session') ?? '')
    assert.ok(session, 'the browser has a session at the OP')
    return session
  }

  #page(): Promise<Answer> {
    return this.#agent.get(this.#scene.rp.page)
  }

  async #logInFrom(url: string): Promise<void> {
    const { redirect_uris: [redirectUri] = [] } = this.#scene.rp.metadata
    const answer = await this.atOp.finish(await this.#agent.get(url), this.login)
    await this.#agent.follow(await this.#agent.get(`${redirectUri}?${answer}`))
  }
}
