import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { silent } from '../../lib/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'
import { openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'
import { SteeredStore } from '../support/steered-store.ts'
import { field } from '../support/user-agent.ts'

const RP = testClient('rp')

/** The longest time that anybody waits for an answer, in milliseconds. */
const LIMIT_MS = 10_000

/** An answer as both browsers and clients get it. */
interface Answered {
  readonly status: number
  readonly headers: Headers
}

/** A request that is ready to be sent. */
type Send = () => Promise<Answered>

describe('a provider whose database does not answer any more', () => {
  let log: ProxiedLog
  let clock: FakeClock
  let store: SteeredStore
  let op: Op

  beforeEach(async () => {
    // The driver itself would wait: for a server half a minute, for an answer for ever.
    log = await openProxiedLog({ client: { retryWrites: false, retryReads: false } })
    clock = new FakeClock(Date.now())
    store = new SteeredStore(await MongoEventStore.open(log.proxiedDb, { keys: log.keys, clock, logger: silent }))
    op = await startOp(store, { clients: [RP], clock })
  })
  afterEach(async () => {
    log.proxy.resume()
    log.proxy.accept()
    await op.stop()
    await store.close()
    await log.remove()
  })

  /** Settles while the clock moves on, by the limit at most. */
  async function inTime<T>(work: Promise<T>): Promise<T> {
    const start = clock.monotonic()
    let done = false
    const noted = work.finally(() => {
      done = true
    })
    noted.catch(() => {})
    while (!done) {
      assert.ok(clock.monotonic() - start <= LIMIT_MS, 'no answer in time')
      await clock.advance(100)
      await sleep(2) // the driver lives in the machine's time
    }
    return noted
  }

  async function loggedIn(): Promise<Person> {
    const person = new Person(op)
    await person.authorize('rp')
    return person
  }

  async function tokens(): Promise<{ access: string; refresh: string }> {
    const more = { scope: 'openid offline_access', prompt: 'consent' }
    const code = (await new Person(op).authorize('rp', more)).get('code') ?? ''
    const { body } = await new Client(op, RP).exchange(code)
    return { access: String(body['access_token']), refresh: String(body['refresh_token']) }
  }

  /** What a person at a browser does, each ready to be sent. */
  async function browserRequests(): Promise<Record<string, Send>> {
    const [returning, leaving, confirming] = [await loggedIn(), await loggedIn(), await loggedIn()]
    const newcomer = new Person(op)
    const entering = new Person(op)
    const page = await entering.agent.follow(await entering.agent.get(entering.authorizationUrl('rp')))
    const resuming = new Person(op)
    const login = await resuming.agent.follow(await resuming.agent.get(resuming.authorizationUrl('rp')))
    const submitted = await resuming.submit(login)
    const resume = new URL(field(String(submitted.headers.get('location')), /^(.+)$/), submitted.url).href
    const question = await confirming.endSession()
    return {
      'a first authorization request': () => newcomer.agent.get(newcomer.authorizationUrl('rp')),
      'an authorization request': () => returning.agent.get(returning.authorizationUrl('rp')),
      'a login': () => entering.submit(page),
      'a resumed authorization request': () => resuming.agent.get(resume),
      'the question of a logout': () => leaving.endSession(),
      'a confirmed logout': () => confirming.confirm(question),
    }
  }

  /** What clients do, each ready to be sent. */
  async function clientRequests(): Promise<Record<string, Send>> {
    const client = new Client(op, RP)
    const { access, refresh } = await tokens()
    const code = (await new Person(op).authorize('rp')).get('code') ?? ''
    return {
      'an exchange': () => client.exchange(code),
      'a refresh': () => client.refresh(refresh),
      userinfo: () => client.userinfo(access),
      'an introspection': () => client.introspect(access),
      'a revocation': () => client.revoke(access),
    }
  }

  for (const [how, leave] of [
    ['hangs', () => log.proxy.stall()],
    [
      'is gone',
      () => {
        log.proxy.refuse()
        log.proxy.cutAll()
      },
    ],
  ] as const) {
    it(`answers every request within ten seconds, browsers with a page, clients with JSON, when it ${how}`, async () => {
      const browsers = await browserRequests()
      const clients = await clientRequests()
      leave()
      const send = (requests: Record<string, Send>): Promise<[string, Answered][]> =>
        Promise.all(Object.entries(requests).map(async ([name, request]) => [name, await request()] as const)) as never
      const [pages, answers] = await inTime(Promise.all([send(browsers), send(clients)]))
      for (const [name, { status, headers }] of [...pages, ...answers]) {
        // It reads nothing: its commit was sent, and nobody can tell what became of it.
        const unknown = name === 'a first authorization request'
        assert.equal(status, unknown ? 500 : 503, name)
        assert.equal(headers.get('retry-after'), unknown ? null : '2', name)
        assert.equal(headers.get('cache-control'), 'no-store', name)
        assert.deepEqual(headers.getSetCookie(), [], name)
      }
      for (const [name, { headers }] of pages) assert.match(headers.get('content-type') ?? '', /^text\/html/, name)
      for (const [name, { headers }] of answers)
        assert.match(headers.get('content-type') ?? '', /^application\/json/, name)
    })
  }

  /** The database answers until a commit is sent, and then no more. */
  function hangAtCommit(): () => void {
    const held = log.proxy.hold({ command: 'bulkWrite' })
    void held.arrived.then(() => log.proxy.stall())
    return () => held.release()
  }

  it('answers within ten seconds where the commit alone is not answered, and says that it may have happened', async () => {
    const person = await loggedIn()
    const release = hangAtCommit()
    const answer = await inTime(person.agent.get(person.authorizationUrl('rp')))
    release()
    assert.equal(answer.status, 500)
    assert.equal(answer.headers.get('retry-after'), null)
    assert.match(answer.text, /it may have/)
    assert.deepEqual(answer.headers.getSetCookie(), [])
  })

  it('answers all tabs of one session within ten seconds, though their commits wait for each other', async () => {
    const person = await loggedIn()
    const release = hangAtCommit()
    const tabs = Array.from({ length: 5 }, () => new Person(op, person.agent.clone()))
    const answers = await inTime(Promise.all(tabs.map((tab) => tab.agent.get(tab.authorizationUrl('rp')))))
    release()
    assert.deepEqual(answers.map(({ status }) => status).sort(), [500, 503, 503, 503, 503])
  })

  /** The database hangs from the so many-th call of the store on. */
  function hangAtCall(count: number): void {
    let calls = 0
    const call = (): void => {
      calls += 1
      if (calls === count) log.proxy.stall()
    }
    store.beforeRead = call
    store.beforeAppend = call
  }

  for (const [what, prepare] of [
    [
      'a confirmed logout',
      async (): Promise<Send> => {
        const person = await loggedIn()
        await person.authorize('rp', { scope: 'openid offline_access', prompt: 'consent' })
        const question = await person.endSession()
        return () => person.confirm(question)
      },
    ],
    [
      'the reuse of a refresh token',
      async (): Promise<Send> => {
        const { refresh } = await tokens()
        const client = new Client(op, RP)
        await client.refresh(refresh)
        return () => client.refresh(refresh)
      },
    ],
    [
      'a revocation',
      async (): Promise<Send> => {
        const { refresh } = await tokens()
        return () => new Client(op, RP).revoke(refresh)
      },
    ],
  ] as const) {
    for (const count of [1, 2, 3, 4]) {
      it(`answers ${what} within ten seconds, when it hangs at the call number ${count} of the store`, async () => {
        const send = await prepare()
        hangAtCall(count)
        const { status } = await inTime(send())
        // One that needs fewer calls is answered as ever.
        assert.ok([500, 503, 200, 303, 400].includes(status), String(status))
        if (count === 1) assert.equal(status, 503)
      })
    }
  }
})
