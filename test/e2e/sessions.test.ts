import assert from 'node:assert/strict'
import type Provider from 'oidc-provider'
import type { Configuration, Grant } from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { Gate } from '../support/gate.ts'
import { Person, startOp, testClient } from '../support/op.ts'
import { PlainStore, startPlainOp } from '../support/plain-adapter.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'
import { barrier } from '../support/steered-store.ts'

/** An OP whose session writes a test can hold back. */
interface OpWithSessions {
  readonly issuer: string
  readonly provider: Provider
  /** Called in each request once it has read its session, and before it writes it. */
  beforeSessionWrite(hook: (() => Promise<void>) | undefined): void
  stop(): Promise<void>
}

/** Whoever is logged in has consented. */
const CONSENTED: Configuration = {
  async loadExistingGrant({ oidc }) {
    const { client, session, provider } = oidc
    assert.ok(client && session)
    const grantId = session.grantIdFor(client.clientId)
    if (grantId) return provider.Grant.find(grantId)
    const grant: Grant = new provider.Grant({ clientId: client.clientId, accountId: String(session.accountId) })
    grant.addOIDCScope('openid')
    await grant.save()
    return grant
  },
}

async function onTheLog(rps: readonly RelyingParty[]): Promise<OpWithSessions> {
  const store = new MemoryEventStore()
  let beforeGrant: (() => Promise<void>) | undefined
  const op = await startOp(store, {
    plugins: [backChannelLogout({ development: true, allowInternal: rps.map(({ clientId }) => clientId) })],
    clients: [testClient('home'), ...rps.map(({ metadata }) => metadata)],
    configuration: {
      async loadExistingGrant(context) {
        await beforeGrant?.()
        return CONSENTED.loadExistingGrant?.(context)
      },
    },
  })
  return {
    issuer: op.issuer,
    provider: op.provider,
    beforeSessionWrite(hook) {
      // Of one process, commits of one session queue: what meets must have read it, and not committed yet.
      beforeGrant = hook
    },
    async stop() {
      await op.stop()
      await store.close()
    },
  }
}

async function onAPlainAdapter(rps: readonly RelyingParty[]): Promise<OpWithSessions> {
  const store = new PlainStore()
  const op = await startPlainOp(store, {
    clients: [testClient('home'), ...rps.map(({ metadata }) => metadata)],
    configuration: {
      ...CONSENTED,
      features: { backchannelLogout: { enabled: true } },
      // The provider's own guard keeps it from loopback addresses, where the tests' RPs are.
      fetch: (url, init) => fetch(url, { ...init, dispatcher: undefined } as object),
    },
  })
  return {
    ...op,
    beforeSessionWrite(hook) {
      store.beforeUpsert = (model) => (model === 'Session' ? hook?.() : undefined)
    },
  }
}

for (const { name, start, isSafe } of [
  { name: 'on the log', start: onTheLog, isSafe: true },
  { name: 'on a plain adapter', start: onAPlainAdapter, isSafe: false },
]) {
  describe(`the sessions of an OP ${name}`, () => {
    let rps: RelyingParty[]
    let op: OpWithSessions

    beforeEach(async () => {
      rps = [await startRp('rp-one'), await startRp('rp-two')]
      op = await start(rps)
    })
    afterEach(async () => {
      await op.stop()
      for (const rp of rps) await rp.stop()
    })

    describe('two tabs that authorize at two RPs at the same moment', () => {
      it(
        isSafe ? 'are both in the session, and both RPs are told of its end' : 'lose one of them, and its logout',
        async () => {
          const person = new Person(op)
          await person.authorize('home')
          op.beforeSessionWrite(barrier(2)) // both have read the session before either writes it
          const answers = await Promise.all(
            rps.map(({ clientId }) => person.agent.clone().get(person.authorizationUrl(clientId))),
          )
          op.beforeSessionWrite(undefined)
          for (const { status, headers } of answers) {
            assert.equal(status, 303)
            assert.match(headers.get('location') ?? '', /^https:\/\/rp\.example\.com\/cb\?code=/)
          }
          const authorized = Object.keys((await sessionOf(op, person))?.authorizations ?? {}).sort()
          assert.equal(authorized.length, isSafe ? 3 : 2)
          const lost = rps.filter(({ clientId }) => !authorized.includes(clientId))
          assert.equal(lost.length, isSafe ? 0 : 1)

          await person.logout()
          await Promise.all(rps.map((rp) => (lost.includes(rp) ? undefined : rp.received(1))))
          for (const rp of rps) assert.equal(rp.tokens.length, lost.includes(rp) ? 0 : 1)
        },
      )
    })

    describe('a request in flight during a logout', () => {
      it(isSafe ? 'leaves the session ended' : 'brings the user back in, after the RPs were told', async () => {
        const person = new Person(op)
        await person.authorize('rp-one')
        const otherTab = person.agent.clone()

        const gate = new Gate()
        gate.shut()
        let arrive = (): void => {}
        const arrived = new Promise<void>((resolve) => {
          arrive = resolve
        })
        op.beforeSessionWrite(() => {
          op.beforeSessionWrite(undefined) // the logout itself is not held back
          arrive()
          return gate.pass()
        })
        const inFlight = otherTab.get(person.authorizationUrl('rp-two'))
        await arrived
        assert.equal((await person.logout()).status, 303)
        await rps[0]?.received(1)
        gate.open()
        const answer = await inFlight

        const location = answer.headers.get('location') ?? ''
        const isIn = location.startsWith('https://rp.example.com/cb?code=')
        assert.equal(isIn, !isSafe)
        const again = await otherTab.get(person.authorizationUrl('rp-two', { prompt: 'none' }))
        const error = new URL(again.headers.get('location') ?? '').searchParams.get('error')
        assert.equal(error, isSafe ? 'login_required' : null)
        if (isSafe) {
          // Its browser repeats the request, and is asked to log in.
          assert.equal(new URL(location, op.issuer).href, person.authorizationUrl('rp-two'))
          const page = await otherTab.follow(answer)
          assert.match(page.text, /name="prompt" value="login"/)
        }
      })
    })
  })
}

async function sessionOf(
  { provider }: OpWithSessions,
  { agent }: Person,
): Promise<{ authorizations?: Record<string, unknown> } | undefined> {
  return (await provider.Session.find(agent.cookie('_session') ?? '')) as unknown as
    | { authorizations?: Record<string, unknown> }
    | undefined
}
