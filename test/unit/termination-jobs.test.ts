import assert from 'node:assert/strict'
import fc from 'fast-check'
import type Provider from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import {
  type Clock,
  type Commit,
  type Host,
  type Plugin,
  SessionChangedError,
  StoreUnavailableError,
} from '../../lib/index.ts'
import { PLANNER } from '../../plugins/back-channel-logout/delivery/planner.ts'
import { tallyOf } from '../../plugins/back-channel-logout/ending/tally.ts'
import type {
  Tally,
  TerminationReason,
  TerminationTarget,
} from '../../plugins/back-channel-logout/ending/termination-events.ts'
import { newTerminationJob, type TerminationJob } from '../../plugins/back-channel-logout/ending/termination-job.ts'
import { previewTermination } from '../../plugins/back-channel-logout/ending/termination-preview.ts'
import { TerminationRun } from '../../plugins/back-channel-logout/ending/termination-run.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { terminationStream } from '../../plugins/back-channel-logout/recording/index-streams.ts'
import { type Op, startOp, testClient } from '../support/op.ts'
import { terminationParts } from '../support/termination-parts.ts'

const CLIENTS = ['a', 'b', 'c']
const ACCOUNTS = ['alice', 'bob']

/** A session of the log: whose it is, at which clients, how often it was written, whether it had ended before. */
interface Given {
  readonly account: string
  readonly clients: readonly string[]
  readonly saves: number
  readonly ended: boolean
}

const given: fc.Arbitrary<Given> = fc.record({
  account: fc.constantFrom(...ACCOUNTS),
  clients: fc.uniqueArray(fc.constantFrom(...CLIENTS), { maxLength: 3 }),
  saves: fc.integer({ min: 1, max: 3 }),
  ended: fc.boolean(),
})

/** So many candidates are looked at between two notes of how far an job got. */
const PAGE = 4

describe('a termination of many sessions', () => {
  let store: MemoryEventStore
  let op: Op
  let host: Host

  beforeEach(async () => {
    store = new MemoryEventStore()
    const caught: Host[] = []
    const catcher: Plugin = { name: 'catcher', start: async (given) => void caught.push(given), stop: async () => {} }
    const clients = CLIENTS.map((id) =>
      testClient(id, id === 'c' ? {} : { backchannel_logout_uri: `https://${id}.example.com/logout` }),
    )
    op = await startOp(store, { plugins: [catcher, backChannelLogout({ network: nowhere })], clients })
    host = caught[0] as Host
  })

  afterEach(async () => {
    await op.stop()
    await store.close()
  })

  it('ends each session once, whatever it is interrupted by, and counts exactly', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(given, { maxLength: 12 }),
        fc.constantFrom<'account' | 'client' | 'all'>('account', 'client', 'all'),
        fc.constantFrom<TerminationReason>('admin', 'account_disabled'),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean()), { maxLength: 3 }),
        async (sessions, kind, reason, crashes) => {
          for (const session of sessions) await make(op.provider, session)
          const alive = (await everySession()).filter(({ lives }) => lives).length
          const job = await ordered(kind, kind === 'client' ? 'admin' : reason)
          const { failed: unreadable, ...expected } = await previewTermination(terminationParts(host), job)
          const { tally, failed } = await carriedOut(job, crashes)
          assert.deepEqual([tally, failed, unreadable], [expected, 0, 0])
          assert.deepEqual(await previewTermination(terminationParts(host), job), {
            sessions: 0,
            logins: 0,
            grants: 0,
            failed: 0,
          })
          const left = (await everySession()).filter(({ lives }) => lives)
          if (kind === 'all') assert.deepEqual([left.length, tally.sessions], [0, alive])
          if (kind === 'account') assert.ok(left.every(({ account }) => account !== 'alice'))
          if (kind === 'client') assert.ok(left.every(({ clients }) => !clients.includes('a')))
          if (kind === 'client') assert.equal(left.length, alive, 'the sessions live on')
          const ends = await store.read(terminationStream(job.id))
          assert.deepEqual(tallyOf(ends), tally, 'the log says the same')
        },
      ),
      { numRuns: 25, seed: 20_261_124 },
    )
  })

  it('goes on without a session that cannot be ended, and counts it', async () => {
    await make(op.provider, { account: 'alice', clients: ['a'], saves: 1, ended: false })
    await make(op.provider, { account: 'bob', clients: ['a'], saves: 1, ended: false })
    const job = await ordered('all', 'admin')
    const endings: Host['terminator'] = {
      ...boundTo(host.terminator),
      end: (name, wish) =>
        host.terminator.end(name, {
          ...wish,
          onlyIf(session) {
            if (session.payload['accountId'] === 'alice') throw new TypeError('something is wrong with it')
            return true
          },
        }),
    }
    const { tally, failed } = await carriedOut(job, [], { ...host, terminator: endings })
    assert.deepEqual([tally.sessions, failed], [1, 1])
  })

  it('counts what cannot be ended once, though the store goes away in the middle of the page', async () => {
    for (const account of ['alice', 'bob']) await make(op.provider, { account, clients: ['a'], saves: 1, ended: false })
    const job = await ordered('all', 'admin')
    let away = true
    const endings: Host['terminator'] = {
      ...boundTo(host.terminator),
      end: (name, wish) =>
        host.terminator.end(name, {
          ...wish,
          onlyIf({ payload }) {
            if (payload['accountId'] === 'alice') throw new TypeError('something is wrong with it')
            if (away) throw new StoreUnavailableError('away')
            return true
          },
        }),
    }
    const run = new TerminationRun(terminationParts({ ...host, terminator: endings }))
    await assert.rejects(run.runNextPage(job), StoreUnavailableError)
    away = false
    const { job: after, completed } = await run.runNextPage(job)
    assert.deepEqual([after.tally.sessions, after.failed, completed], [1, 1, true])
  })

  it('tries a session again that is written all the time, with pauses, and goes on without it in the end', async () => {
    for (const account of ['alice', 'bob']) await make(op.provider, { account, clients: ['a'], saves: 1, ended: false })
    for (const [conflicts, sessions, failed] of [
      [3, 1, 0],
      [50, 0, 1],
    ] as const) {
      const job = await ordered('account', 'admin')
      const pauses: number[] = []
      let tries = 0
      const busy: Host['terminator'] = {
        ...boundTo(host.terminator),
        async end(name, options) {
          if (tries++ < conflicts) throw new SessionChangedError('it is written all the time')
          return host.terminator.end(name, options)
        },
      }
      const clock: Clock = { ...host.clock, sleep: async (delayMs) => void pauses.push(delayMs) }
      const { tally, failed: given } = await carriedOut(job, [], { ...host, terminator: busy, clock })
      assert.deepEqual([tally.sessions, given], [sessions, failed])
      assert.equal(pauses.length, tries - 1, 'a pause before each try but the first')
      assert.ok(tries <= 8)
      if (failed === 0) await make(op.provider, { account: 'alice', clients: ['a'], saves: 1, ended: false })
    }
  })

  it('tells an RP of the grant that is revoked while deliveries are on, though they were off for another one', async () => {
    for (let grants = 0; grants < 2; grants++) await new op.provider.Grant({ accountId: 'alice', clientId: 'a' }).save()
    const begun = await ordered('account', 'account_deleted')
    let isOn = false
    const run = new TerminationRun({ ...terminationParts(host), isOn: () => isOn }, 1)
    let step = await run.runNextPage(begun)
    while (step.job.tally.grants === 0) step = await run.runNextPage(step.job)
    assert.deepEqual(step.job.tally, { sessions: 0, logins: 0, grants: 1 })
    isOn = true
    while (!step.completed) step = await run.runNextPage(step.job)
    assert.deepEqual(step.job.tally, { sessions: 0, logins: 1, grants: 2 })
  })

  it('counts in a dry run once what is met in the log and in the index', async () => {
    await make(op.provider, { account: 'alice', clients: ['a'], saves: 2, ended: false })
    await new op.provider.Grant({ accountId: 'alice', clientId: 'b' }).save()
    const end = await store.end()
    while (((await store.consumers.get(PLANNER))?.position ?? 0) < end) await new Promise(setImmediate)
    for (const reason of ['admin', 'account_disabled'] as const) {
      const job = await ordered('account', reason)
      const place = { part: 'tail', from: 1, before: job.position } as const
      const counted = await previewTermination(terminationParts(host), job)
      assert.ok(counted.sessions === 1 && counted.grants >= 1)
      assert.deepEqual(await previewTermination(terminationParts(host), { ...job, place }), counted)
      if (reason === 'admin') continue
      assert.deepEqual(await previewTermination(terminationParts(host), { ...job, pass: 'grants', place }), {
        sessions: 0,
        logins: 2,
        grants: 2,
        failed: 0,
      })
    }
  })

  it('counts nobody as told in a dry run while deliveries are off', async () => {
    await new op.provider.Grant({ accountId: 'alice', clientId: 'a' }).save()
    const off = { ...terminationParts(host), isOn: () => false }
    const counts = await previewTermination(off, await ordered('account', 'account_disabled'))
    assert.deepEqual(counts, { sessions: 0, logins: 0, grants: 1, failed: 0 })
  })

  it('is not gone through further in a dry run whose caller has given up', async () => {
    await make(op.provider, { account: 'alice', clients: ['a'], saves: 1, ended: false })
    const gone = new Error('the operator went home')
    await assert.rejects(
      previewTermination(terminationParts(host), await ordered('all', 'admin'), AbortSignal.abort(gone)),
      gone,
    )
  })

  it('looks once at a grant, however often it was stored', async () => {
    const grant = new op.provider.Grant({ accountId: 'alice', clientId: 'a' })
    for (let saves = 0; saves < 20; saves++) await grant.save()
    const job = await ordered('account', 'account_deleted')
    let looks = 0
    const counting: Host['terminator'] = {
      ...boundTo(host.terminator),
      grant(id) {
        looks += 1
        return host.terminator.grant(id)
      },
    }
    const run = new TerminationRun(terminationParts({ ...host, terminator: counting }))
    let step = await run.runNextPage(job)
    while (!step.completed) step = await run.runNextPage(step.job)
    assert.deepEqual([step.job.tally.grants, looks], [1, 1])
  })

  it('revokes a grant once, though another does at the same moment', async () => {
    await new op.provider.Grant({ accountId: 'alice', clientId: 'a' }).save()
    const [one, other] = [await ordered('account', 'account_deleted'), await ordered('account', 'account_deleted')]
    // A process that was taken for dead goes on with what its successor is at; and two operators have asked.
    await Promise.all([one, one, other].map((job) => carriedOut(job, [])))
    const tallies = await Promise.all(
      [one, other].map(async ({ id }) => tallyOf(await store.read(terminationStream(id)))),
    )
    assert.deepEqual(
      tallies.map(({ grants, logins }) => grants + logins).sort(),
      [0, 2],
      'one of them has revoked it, and told its RP',
    )
  })

  it('asks the log once a page which clients of an account were told, however many there are', async () => {
    for (let grants = 0; grants < 20; grants++)
      await new op.provider.Grant({ accountId: 'alice', clientId: `c${grants}` }).save()
    const job = await ordered('account', 'account_deleted')
    const { readStreams } = MemoryEventStore.prototype
    const reads: (readonly string[])[] = []
    store.readStreams = (streams, options) => {
      const isOfAccount = streams.every((name) => name.startsWith('account:'))
      if (isOfAccount && options?.direction === 'forwards' && Number(options.from) > job.position) reads.push(streams)
      return readStreams.call(store, streams, options)
    }
    assert.equal((await carriedOut(job, [])).tally.grants, 20)
    assert.ok(reads.length > 0 && reads.length <= 20 / PAGE + 1, `${reads.length} looks`)
    for (const streams of reads) assert.deepEqual(streams, store.keys.streams('account', 'alice'))
  })

  /** The job as it lies in the log. */
  async function ordered(kind: TerminationTarget['kind'], reason: TerminationReason): Promise<TerminationJob> {
    const id = `order-${await store.end()}`
    const target: TerminationTarget =
      kind === 'account'
        ? { kind, account: store.keys.seal('alice', terminationStream(id)) }
        : kind === 'client'
          ? { kind, client_id: 'a' }
          : { kind }
    const event = { stream: terminationStream(id), type: 'termination.ordered', data: {} }
    const { position } = await store.append({ events: [event] })
    return newTerminationJob(id, position, { target, reason, actor: 'anna' })
  }

  /**
   * Carries it out, page by page. At each crash, after so many ends of a process, the store is gone for it, which has
   * stored the last one, or has not; then another process goes on from what was written down.
   */
  async function carriedOut(
    begun: TerminationJob,
    crashes: readonly (readonly [number, boolean])[],
    from: Host = host,
  ): Promise<{ tally: Tally; failed: number }> {
    const left = [...crashes]
    let job = begun
    let completed = false
    let { run, crashed } = processOf(from, left.shift())
    while (!completed) {
      try {
        ;({ job, completed } = await run.runNextPage(job))
      } catch (error) {
        if (!crashed()) throw error
        ;({ run, crashed } = processOf(from, left.shift()))
      }
    }
    store.append = MemoryEventStore.prototype.append
    return job
  }

  function processOf(
    from: Host,
    crash: readonly [number, boolean] | undefined,
  ): { run: TerminationRun; crashed: () => boolean } {
    let appends = 0
    let gone = false
    const { append } = MemoryEventStore.prototype
    store.append = async (commit) => {
      if (gone) throw new StoreUnavailableError('this process has crashed')
      appends += 1
      gone = crash !== undefined && appends >= crash[0]
      if (gone && !crash?.[1]) throw new StoreUnavailableError('before it was stored')
      const appended = await append.call(store, commit)
      if (gone) throw new StoreUnavailableError('after it was stored')
      return appended
    }
    return { run: new TerminationRun(terminationParts(from), PAGE), crashed: () => gone }
  }

  async function everySession(): Promise<{ lives: boolean; account: string; clients: string[] }[]> {
    const commits = await store.readAll({ after: 0, limit: 100_000 })
    const names = new Set(commits.flatMap((commit: Commit) => host.terminator.sessionsStoredBy(commit)).map(String))
    return Promise.all(
      [...names].map(async (name) => {
        const standing = await host.terminator.status(name.split(','))
        const payload = standing && 'live' in standing ? standing.live.payload : {}
        return {
          lives: standing !== undefined && 'live' in standing,
          account: String(payload['accountId']),
          clients: Object.keys(payload['authorizations'] ?? {}),
        }
      }),
    )
  }
})

const nowhere = {
  post: async () => ({ kind: 'answered' as const, status: 200, body: '' }),
  close: async () => {},
}

function boundTo(endings: Host['terminator']): Host['terminator'] {
  return {
    end: endings.end.bind(endings),
    preview: endings.preview.bind(endings),
    revoke: endings.revoke.bind(endings),
    status: endings.status.bind(endings),
    findBySid: endings.findBySid.bind(endings),
    sessionsStoredBy: endings.sessionsStoredBy.bind(endings),
    loggedInBy: endings.loggedInBy.bind(endings),
    grantsStoredBy: endings.grantsStoredBy.bind(endings),
    grant: endings.grant.bind(endings),
  }
}

/** A session as the provider writes it, through its own models. */
async function make({ Session, Grant }: Provider, { account, clients, saves, ended }: Given): Promise<void> {
  const session = new Session()
  session.loginAccount({ accountId: account })
  for (const clientId of clients) {
    const grant = new Grant({ accountId: account, clientId })
    await grant.save()
    session.ensureClientContainer(clientId)
    session.authorizationFor(clientId).grantId = grant.jti
    await session.save(3_600)
  }
  for (let save = 0; save < saves; save++) await session.save(3_600)
  if (ended) await session.destroy()
}
