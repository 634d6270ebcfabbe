import assert from 'node:assert/strict'
import type { NewCommit } from '../../lib/index.ts'
import { OptionInvalidError, silent } from '../../lib/index.ts'
import type {
  ApiErrorBody,
  ClientDetail,
  ClientPauseAnswer,
  ClientsPage,
  ClientTestAnswer,
  DeadLettersPage,
  ExplainAnswer,
  FeaturesAnswer,
  LogoutDetail,
  LogoutsPage,
  LogPage,
  Me,
  OperationsAnswer,
  Overview,
  Page,
  PendingPage,
  SessionsPage,
  TerminationsPage,
} from '../../plugins/admin-console/api/contract.ts'
import { adminConsole } from '../../plugins/admin-console/index.ts'
import { BuiltAssets, ConsoleScene, NOBODY, OLGA, ORIGIN, VERA } from '../support/console-scene.ts'
import { Person, startOp, testClient } from '../support/op.ts'

/** Refuses for good, so that what it was to get is a dead letter. */
const GONE = 410

describe('the console', () => {
  let scene: ConsoleScene<'shop' | 'mail'>
  before(async () => {
    const stored = [testClient('stored', { backchannel_logout_uri: 'https://stored.example.com/bcl' })]
    scene = await ConsoleScene.start({ shop: {}, mail: {} }, { stored })
  })
  after(() => scene.stop())

  const login = async (account: string, ...clients: readonly string[]): Promise<Person> => {
    const person = new Person(scene.scene.op)
    for (const client of clients) await person.authorize(client, { login: account })
    return person
  }
  const sessionOf = async (account: string): Promise<string> => {
    const { body } = await scene.get<SessionsPage>('/sessions', { account })
    const [session] = body.items
    assert.ok(session, `${account} has no session`)
    return session.uid
  }

  it('says who is signed in, and what may be done', async () => {
    const { body } = await scene.get<Me>('/me', {}, VERA)
    assert.equal(body.name, 'vera')
    assert.equal(body.role, 'viewer')
    assert.equal(body.issuer, scene.scene.op.issuer)
    assert.ok(body.reasons.includes('password_changed'))
  })

  it('lists sessions by account, at a client and all, with their RPs', async () => {
    await login('lena', 'shop', 'mail')
    const uid = await sessionOf('lena')
    for (const query of [{ account: 'lena' }, { client: 'mail' }, {}]) {
      const { body } = await scene.get<SessionsPage>('/sessions', query)
      const found = body.items.find((session) => session.uid === uid)
      assert.deepEqual(
        found?.logins.map(({ clientId }) => clientId),
        ['shop', 'mail'],
        JSON.stringify(query),
      )
    }
    const both = await scene.get<ApiErrorBody>('/sessions', { account: 'lena', client: 'mail' })
    assert.equal(both.body.error.code, 'FIELD_INVALID')
  })

  it('goes through a list page by page, and tells each session once while nobody uses them', async () => {
    for (const account of ['p1', 'p2', 'p3', 'p4', 'p5']) await login(account, 'shop')
    await scene.scene.open()
    const found: string[] = []
    let cursor: string | undefined
    do {
      const query = { client: 'shop', limit: 2, ...(cursor !== undefined && { cursor }) }
      const { status, body, text } = await scene.get<SessionsPage>('/sessions', query)
      assert.equal(status, 200, text)
      assert.ok(body.items.length <= 2)
      found.push(...body.items.map(({ accountId }) => accountId))
      cursor = body.next
    } while (cursor !== undefined)
    for (const account of ['p1', 'p2', 'p3', 'p4', 'p5'])
      assert.equal(found.filter((one) => one === account).length, 1, account)
  })

  it('ends one session after a dry run, in the operator’s name, and tells its timeline', async () => {
    await login('mona', 'shop', 'mail')
    const uid = await sessionOf('mona')
    const planned = await scene.operate('/operations/terminate', { target: { sessions: [uid] }, dryRun: true })
    assert.deepEqual(planned.result, { sessions: 1, logins: 2, grants: 2, failed: 0 })
    assert.equal(await sessionOf('mona'), uid)
    const ended = await scene.operate('/operations/terminate', { target: { sessions: [uid] } })
    assert.equal(ended.state, 'completed')
    assert.equal(ended.actor, 'olga')
    await scene.scene.quiet()
    const { body } = await scene.get<LogoutDetail>('/logouts/one', { session: uid })
    assert.equal(body.receipt.ends[0]?.actor, 'olga')
    const kinds = body.timeline.entries.map(({ kind }) => kind)
    assert.deepEqual(kinds, ['registered', 'registered', 'ended', 'confirmed', 'confirmed'])
    const end = body.timeline.entries.find((entry) => entry.kind === 'ended')
    assert.deepEqual(end?.deliveries.map(({ clientId }) => clientId).sort(), ['mail', 'shop'])
    assert.ok(end?.beside.includes('Session destroyed'), String(end?.beside))
    const confirmed = body.timeline.entries.find((entry) => entry.kind === 'confirmed')
    assert.equal(confirmed?.status, 200)
    assert.ok((confirmed?.timeToLogoutMs ?? -1) >= 0)
  })

  it('ends all sessions of an account by an order that the log keeps', async () => {
    await login('nora', 'shop')
    await login('nora', 'mail')
    const request = { target: { account: 'nora' }, reason: 'password_changed' }
    const operation = await scene.operate('/operations/terminate', request)
    assert.equal(operation.state, 'completed')
    assert.equal((operation.result as { sessions: number }).sessions, 2)
    const { body } = await scene.get<TerminationsPage>('/terminations')
    const [termination] = body.items
    assert.equal(termination?.id, operation.termination)
    assert.equal(termination?.actor, 'olga')
    assert.equal(termination?.reason, 'password_changed')
    assert.equal(termination?.state, 'completed')
    const { body: all } = await scene.get<OperationsAnswer>('/operations')
    assert.ok(all.operations.some(({ id }) => id === operation.id))
  })

  it('refuses an end that makes no sense, by name', async () => {
    const bad: readonly (readonly [object, RegExp])[] = [
      [{ target: {} }, /"target" must name exactly one thing/],
      [{ target: { all: false } }, /"all" must be true/],
      [{ target: { account: 'x', all: true } }, /"target" must name exactly one/],
      [{ target: { sessions: [] } }, /"sessions" must be an array of 1 to 500/],
      [{ target: { client: 'shop' }, reason: 'admin' }, /"reason" is always admin/],
      [{ target: { all: true }, reason: 'because' }, /"reason" must be one of/],
      [{ target: { all: true }, dryrun: true }, /"dryrun" is not known/],
    ]
    for (const [body, expected] of bad) {
      const answer = await scene.post<ApiErrorBody>('/operations/terminate', body)
      assert.equal(answer.status, 400, JSON.stringify(body))
      assert.match(answer.body.error.message, expected)
    }
  })

  it('lists, filters and replays dead letters: a plan first, then all that match', async () => {
    scene.scene.rps.mail.behave((_token, response) => void response.writeHead(GONE).end('=no such session'))
    for (const account of ['dora', 'doris']) {
      await login(account, 'mail', 'shop')
      await scene.operate('/operations/terminate', { target: { sessions: [await sessionOf(account)] } })
    }
    await scene.scene.quiet()
    const { body } = await scene.get<DeadLettersPage>('/dead-letters', { client: 'mail', state: 'rejected' })
    assert.equal(body.items.length, 2)
    assert.equal(body.items[0]?.answer, '=no such session')
    const none = await scene.get<DeadLettersPage>('/dead-letters', { q: 'nowhere' })
    assert.deepEqual(none.body.items, [])
    const [first] = body.items
    const one = await scene.get<DeadLettersPage>('/dead-letters', { q: String(first?.sid) })
    assert.equal(one.body.items.length, 1)
    const matching = { client: 'mail', failureReason: 'refused' }
    const plan = await scene.operate('/operations/replay', { target: { matching }, dryRun: true })
    assert.deepEqual(plan.result, { replayed: 2 })
    scene.scene.rps.mail.behave((_token, response) => void response.writeHead(200).end())
    const replayed = await scene.operate('/operations/replay', { target: { matching } })
    assert.deepEqual(replayed.result, { replayed: 2 })
    assert.equal(replayed.progress.done, 2)
    await scene.scene.quiet()
    assert.deepEqual((await scene.get<DeadLettersPage>('/dead-letters')).body.items, [])
  })

  it('exports dead letters as CSV that no spreadsheet takes for formulas, and as JSON', async () => {
    scene.scene.rps.mail.behave((_token, response) => void response.writeHead(GONE).end('=1+1,"x"'))
    await login('ella', 'mail')
    await scene.operate('/operations/terminate', { target: { sessions: [await sessionOf('ella')] } })
    await scene.scene.quiet()
    const csv = await scene.get('/export/dead-letters', { format: 'csv', client: 'mail' }, VERA)
    assert.match(String(csv.headers.get('Content-Disposition')), /^attachment; filename="dead-letters.csv"$/)
    const [header, row] = csv.text.split('\r\n')
    assert.match(String(header), /^delivery,client_id,session_uid,sid,reason,ended_at,at,state/)
    assert.ok(row?.endsWith(',"\'=1+1,""x"""'), row)
    const json = await scene.get<{ rows: DeadLettersPage['items']; isComplete: boolean }>('/export/dead-letters', {
      format: 'json',
    })
    assert.equal(json.body.rows.length, 1)
    assert.equal(json.body.isComplete, true)
    scene.scene.rps.mail.behave((_token, response) => void response.writeHead(200).end())
    await scene.operate('/operations/replay', { target: { matching: {} } })
    await scene.scene.quiet()
    const empty = await scene.get<{ rows: readonly object[] }>('/export/pending', { format: 'json' })
    assert.deepEqual(empty.body.rows, [])
  })

  it('pauses an RP, shows what waits for it, and resumes it', async () => {
    const paused = await scene.post<ClientPauseAnswer>('/clients/pause', { client: 'shop' })
    assert.equal(paused.body.paused?.actor, 'olga')
    await login('pia', 'shop')
    await scene.operate('/operations/terminate', { target: { sessions: [await sessionOf('pia')] } })
    await scene.scene.open()
    const pending = await scene.get<PendingPage>('/pending', { client: 'shop' })
    assert.equal(pending.body.items.length, 1)
    const { body } = await scene.get<ClientDetail>('/clients/one', { client: 'shop' })
    assert.equal(body.pending, 1)
    const [oldest] = pending.body.items
    assert.deepEqual([body.oldestPendingAt, body.oldestPendingSession], [oldest?.endedAt, oldest?.sessionUid])
    const [row] = (await scene.get<ClientsPage>('/clients', { q: 'shop' })).body.items
    assert.equal(row?.oldestPendingAt, oldest?.endedAt)
    assert.equal(body.settings.source, 'configuration')
    const overview = await scene.get<Overview>('/overview')
    assert.ok(overview.body.problems.some(({ code, clientId }) => code === 'CLIENT_PAUSED' && clientId === 'shop'))
    const test = await scene.post<ClientTestAnswer>('/clients/test', { client: 'shop' })
    assert.equal(test.body.kind, 'answered') // a test is sent all the same
    assert.deepEqual((await scene.post('/clients/resume', { client: 'shop' })).body, {})
    await scene.scene.quiet()
  })

  it('tests an RP by a real logout token that names nobody', async () => {
    const { mail } = scene.scene.rps
    const before = mail.tokens.length
    const { body } = await scene.post<ClientTestAnswer>('/clients/test', { client: 'mail' })
    assert.ok(body.kind === 'answered', JSON.stringify(body))
    assert.equal(body.verdict, 'confirmed')
    const token = (await mail.received(before + 1)).at(-1)
    const { sid } = await mail.verify(String(token), scene.scene.op.issuer)
    assert.equal(sid, body.sid)
    const nothing = await scene.get<LogoutsPage>('/logouts', { since: Date.now() + 60_000 })
    assert.deepEqual(nothing.body.items, [])
    const unknown = await scene.post<ClientTestAnswer>('/clients/test', { client: 'nobody' })
    assert.ok(unknown.body.kind === 'not_sent' && unknown.body.why === 'client_unknown')
  })

  it('lists RPs of the configuration, those of which the log knows, and one that is asked for by its id', async () => {
    const { body } = await scene.get<ClientsPage>('/clients')
    assert.deepEqual(
      body.items.map(({ clientId }) => clientId),
      ['mail', 'shop'],
    )
    assert.ok((body.items[0]?.statistics?.confirmed ?? 0) > 0)
    const first = await scene.get<ClientsPage>('/clients', { limit: 1 })
    const second = await scene.get<ClientsPage>('/clients', { limit: 1, cursor: String(first.body.next) })
    assert.equal(second.body.items[0]?.clientId, 'shop')
    assert.equal(second.body.next, undefined)
    const found = await scene.get<ClientsPage>('/clients', { q: 'stored' })
    assert.equal(found.body.items[0]?.clientId, 'stored')
    assert.equal((await scene.get('/clients/one', { client: 'nobody' })).status, 404)
  })

  it('changes the logout URI of a stored client, and of no other', async () => {
    const { body } = await scene.get<ClientDetail>('/clients/one', { client: 'stored' })
    assert.equal(body.settings.source, 'stored')
    assert.ok(!JSON.stringify(body).includes('secret-of'))
    const change = (version: string, changes: object, client = 'stored') =>
      scene.ask<ClientDetail & ApiErrorBody>('PUT', '/clients/one', OLGA, { client, version, changes })
    const version = String(body.settings.version)
    const uri = 'https://stored.example.com/logout'
    const changed = await change(version, { backchannel_logout_uri: uri, backchannel_logout_skip_superseded: true })
    assert.equal(changed.status, 200, changed.text)
    assert.equal(changed.body.settings.metadata.backchannel_logout_uri, uri)
    assert.equal((await change(version, { backchannel_logout_uri: uri })).body.error.code, 'CLIENT_CHANGED')
    const now = String(changed.body.settings.version)
    for (const bad of ['http://stored.example.com/', 'https://stored.example.com/#x', 'javascript:alert(1)', 7]) {
      const refused = await change(now, { backchannel_logout_uri: bad })
      assert.equal(refused.status, 400, String(bad))
    }
    assert.equal((await change(now, { client_secret: 'mine' })).status, 400)
    assert.equal((await change(now, {})).status, 400)
    assert.equal((await change('any', { backchannel_logout_uri: uri }, 'shop')).body.error.code, 'CLIENT_NOT_STORED')
    assert.equal((await change('any', { backchannel_logout_uri: uri }, 'nobody')).body.error.code, 'CLIENT_UNKNOWN')
    const stored = await scene.scene.op.eventSourced.adapter('Client').find('stored')
    assert.equal(stored?.['backchannel_logout_uri'], uri)
    assert.equal(stored?.['client_secret'], testClient('stored').client_secret)
    const client = await scene.scene.op.provider.Client.find('stored')
    assert.equal(client?.['backchannelLogoutUri'], uri)
    const log = await scene.scene.log()
    const asked = log.filter(({ events }) => events.some(({ type }) => type === 'logout_client.change_requested'))
    assert.deepEqual(
      asked.map(({ meta }) => meta.actor),
      ['olga'],
    )
    const removed = await change(now, { backchannel_logout_uri: null })
    assert.equal(removed.body.settings.problem, 'it has no backchannel_logout_uri')
  })

  it('undoes nothing that is stored while it changes a client, and brings none back', async () => {
    const clients = scene.scene.op.eventSourced.adapter('Client')
    const metadata = testClient('racing', { backchannel_logout_uri: 'https://racing.example.com/bcl' })
    const rotated = { ...metadata, client_secret: 'rotated' }
    const { store } = scene
    const { append } = store
    const other = await startOp(store, { issuer: scene.scene.op.issuer }) // those of one process queue
    const elsewhere = other.eventSourced.adapter('Client')
    const isRequest = (commit: NewCommit) => commit.events.some(({ type }) => type === 'logout_client.change_requested')
    const isChange = (commit: NewCommit) => commit.events.some(({ stream }) => stream.startsWith('Client:'))
    const changed = async (isBehind: (commit: NewCommit) => boolean, meanwhile: () => Promise<unknown>) => {
      await clients.upsert('racing', metadata as never)
      const { body } = await scene.get<ClientDetail>('/clients/one', { client: 'racing' })
      store.append = async (commit) => {
        if (isBehind(commit)) {
          store.append = append
          await meanwhile()
        }
        return append.call(store, commit)
      }
      const changes = { backchannel_logout_uri: 'https://racing.example.com/logout' }
      const change = { client: 'racing', version: body.settings.version, changes }
      return scene.ask<ApiErrorBody>('PUT', '/clients/one', OLGA, change)
    }
    for (const isBehind of [isRequest, isChange]) {
      const conflict = await changed(isBehind, () => elsewhere.upsert('racing', rotated as never))
      assert.equal(conflict.status, 409, conflict.text)
      assert.equal(conflict.body.error.code, 'CLIENT_CHANGED')
      assert.equal((await clients.find('racing'))?.['client_secret'], 'rotated')
      const gone = await changed(isBehind, () => elsewhere.destroy('racing'))
      assert.equal(gone.body.error.code, 'CLIENT_UNKNOWN')
      assert.equal(await clients.find('racing'), undefined)
    }
    await other.stop()
  })

  it('lets one of two who change a client at once through, and tells the other', async () => {
    const clients = scene.scene.op.eventSourced.adapter('Client')
    await clients.upsert('both', testClient('both') as never)
    const { body } = await scene.get<ClientDetail>('/clients/one', { client: 'both' })
    const change = (changes: object) =>
      scene.ask('PUT', '/clients/one', OLGA, { client: 'both', version: body.settings.version, changes })
    const answers = await Promise.all([
      change({ backchannel_logout_uri: 'https://both.example.com/1' }),
      change({ backchannel_logout_skip_superseded: true }),
    ])
    assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 409])
  })

  it('looks once at what is owed for all who ask at the same time', async () => {
    const { logout } = scene.scene
    const { health, pendingByClient } = logout
    const asked: string[] = []
    logout.health = () => {
      asked.push('health')
      return health.call(logout)
    }
    logout.pendingByClient = (options) => {
      asked.push('pending')
      return pendingByClient.call(logout, options)
    }
    const all = ['/overview', '/clients'].flatMap((path) => Array.from({ length: 20 }, () => scene.get(path)))
    assert.deepEqual(new Set((await Promise.all(all)).map(({ status }) => status)), new Set([200]))
    Object.assign(logout, { health, pendingByClient })
    assert.deepEqual(asked.toSorted(), ['health', 'pending'])
  })

  it('shows a stored client whose metadata is not valid, and changes nothing that leaves it so', async () => {
    const broken = { ...testClient('broken'), redirect_uris: ['no uri'] }
    await scene.scene.op.eventSourced.adapter('Client').upsert('broken', broken as never)
    const { body } = await scene.get<ClientDetail>('/clients/one', { client: 'broken' })
    assert.equal(body.settings.source, 'unreadable')
    assert.match(String(body.settings.problem), /^its metadata is not valid: redirect_uris/)
    const changes = { backchannel_logout_uri: 'https://broken.example.com/' }
    const change = { client: 'broken', version: body.settings.version, changes }
    const refused = await scene.ask<ApiErrorBody>('PUT', '/clients/one', OLGA, change)
    assert.equal(refused.status, 400)
    assert.match(refused.body.error.message, /make the client invalid: redirect_uris/)
    const stored = await scene.scene.op.eventSourced.adapter('Client').find('broken')
    assert.equal(stored?.['backchannel_logout_uri'], undefined)
  })

  it('shows that a stored client cannot be opened, and changes nothing of it', async () => {
    const { keys } = scene.store
    const [stream] = keys.streams('Client', 'sealed')
    const sealed = keys.seal({ payload: testClient('sealed') as never }, 'another stream')
    await scene.store.append({ events: [{ stream, type: 'stored', data: { model: 'Client', sealed } }] })
    const { status, body } = await scene.get<ClientDetail>('/clients/one', { client: 'sealed' })
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(body.settings.source, 'unreadable')
    assert.match(String(body.settings.problem), /^it cannot be opened/)
    const changes = { backchannel_logout_uri: 'https://sealed.example.com/' }
    const refused = await scene.ask<ApiErrorBody>('PUT', '/clients/one', OLGA, {
      client: 'sealed',
      version: 'x',
      changes,
    })
    assert.equal(refused.body.error.code, 'CLIENT_NOT_STORED')
    assert.equal((await scene.get('/clients', { q: 'sealed' })).status, 200)
  })

  it('switches a feature in the operator’s name, and takes it back', async () => {
    const gate = { feature: 'single_session_termination', level: 'instance' }
    const set = await scene.ask<FeaturesAnswer>('PUT', '/features', OLGA, { ...gate, enabled: true })
    const state = set.body.features.find(({ feature }) => feature === gate.feature)
    assert.equal(state?.enabled, true)
    assert.equal(state?.instance?.actor, 'olga')
    const reset = await scene.ask<FeaturesAnswer>('DELETE', '/features', OLGA, gate)
    assert.equal(reset.body.features.find(({ feature }) => feature === gate.feature)?.from, 'configuration')
    const listed = await scene.get<FeaturesAnswer>('/features', {}, VERA)
    assert.deepEqual(listed.body, reset.body)
  })

  it('shows the log’s tail without payloads, and explains an id without repeating it', async () => {
    const person = await login('tina', 'shop')
    const { body } = await scene.get<LogPage>('/log', { limit: 5 }, VERA)
    assert.equal(body.items.length, 5)
    const positions = body.items.map(({ position }) => position)
    assert.deepEqual(
      positions,
      positions.toSorted((a, b) => b - a),
    )
    const next = await scene.get<LogPage>('/log', { limit: 5, cursor: String(body.next) })
    assert.equal(next.body.items[0]?.position, Number(positions.at(-1)) - 1)
    assert.ok(!JSON.stringify(body).includes('authorizations'))
    const cookie = String(person.agent.cookie('_session'))
    const explained = await scene.post<ExplainAnswer>('/explain', { thing: cookie }, VERA)
    assert.equal(explained.body.verdict, 'valid')
    assert.ok(!explained.text.includes(cookie))
    assert.equal((await scene.get('/explain', { thing: cookie })).status, 405)
    const long = await scene.post<ExplainAnswer>('/explain', { thing: 'a'.repeat(16_000) }, VERA)
    assert.deepEqual([long.status, long.body.verdict], [200, 'never_stored'])
    const tooLong = await scene.post<ApiErrorBody>('/explain', { thing: 'a'.repeat(16_001) }, VERA)
    assert.deepEqual(
      [tooLong.status, tooLong.body.error.message],
      [400, '"thing" must be text, of 16,000 characters at most'],
    )
  })

  it('shows how it stands, with what happened within the last day', async () => {
    const { body } = await scene.get<Overview>('/overview', {}, VERA)
    assert.equal(body.health.isWell, true)
    assert.equal(body.statistics?.isWhole, true)
    assert.ok((body.statistics?.total.logouts ?? 0) >= 5)
    assert.ok((body.statistics?.total.timeToLogoutMs?.count ?? 0) >= 5)
    assert.ok((body.sessions?.count ?? 0) >= 5)
    assert.equal(body.sessions?.isExact, true)
  })

  it('lists logouts by account and by state', async () => {
    const confirmed = await scene.get<LogoutsPage>('/logouts', { state: 'confirmed', limit: 3 })
    assert.equal(confirmed.body.items.length, 3)
    const more = await scene.get<LogoutsPage>('/logouts', {
      state: 'confirmed',
      limit: 200,
      cursor: String(confirmed.body.next),
    })
    const told = [...confirmed.body.items, ...more.body.items].map(({ sessionUid }) => sessionUid)
    assert.equal(new Set(told).size, told.length)
    const mona = await scene.get<LogoutsPage>('/logouts', { account: 'mona' })
    assert.equal(mona.body.items.length, 1)
    const none = await scene.get<LogoutsPage>('/logouts', { account: 'mona', state: 'abandoned' })
    assert.deepEqual(none.body.items, [])
  })

  it('plans parked commits again, of which there are none', async () => {
    assert.deepEqual((await scene.get<Page<object>>('/parked')).body.items, [])
    const operation = await scene.operate('/operations/retry-parked', {})
    assert.deepEqual(operation.result, { planned: 0, parked: 0 })
  })

  it('refuses a cursor of another list, and what is no cursor', async () => {
    const { body } = await scene.get<LogoutsPage>('/logouts', { limit: 1 })
    const lists = ['/sessions', '/dead-letters', '/pending', '/parked', '/terminations', '/log']
    for (const path of lists) {
      for (const cursor of [String(body.next), 'x', 'W10']) {
        const answer = await scene.get<ApiErrorBody>(path, { cursor })
        assert.equal(answer.status, 400, `${path} ${cursor}`)
        assert.equal(answer.body.error.code, 'CURSOR_INVALID')
      }
    }
  })

  it('answers one document to a page of whatever path, and hashed assets for ever', async () => {
    const page = await scene.fetch('/admin/logouts/x', VERA)
    assert.equal(page.status, 200)
    assert.match(String(page.headers.get('Content-Security-Policy')), /require-trusted-types-for 'script'/)
    const html = await page.text()
    assert.ok(html.includes('<meta name="base-path" content="/admin">'))
    assert.ok(html.includes('<script type="module" src="/admin/assets/console-1.js"></script>'))
    const script = await scene.fetch('/admin/assets/console-1.js', NOBODY)
    assert.match(String(script.headers.get('Cache-Control')), /immutable/)
    assert.equal((await scene.fetch('/admin/assets/manifest.json', VERA)).status, 404)
    assert.equal((await scene.fetch('/admin/assets/../x', VERA)).status, 200) // a page as any other
    assert.equal((await scene.fetch('/admin/x', VERA, { method: 'POST' })).status, 405)
    // An older process does not have the files of a newer one: no cache may keep that.
    const absent = await scene.fetch('/admin/assets/console-9.js', VERA)
    assert.equal(absent.headers.get('Cache-Control'), 'no-store')
    assert.equal(await scene.site.fetch(new Request(`${ORIGIN}/administration`), VERA), undefined)
  })

  it('lets in nobody whom the application does not know, and takes nothing from other pages', async () => {
    assert.equal((await scene.fetch('/admin/', NOBODY)).status, 401)
    const refused = await scene.get<ApiErrorBody>('/me', {}, NOBODY)
    assert.equal(refused.status, 401)
    assert.equal(refused.body.error.code, 'NOT_SIGNED_IN')
    const stranger = { operator: { name: 'x', role: 'root' as never } }
    assert.equal((await scene.get('/me', {}, stranger)).status, 500)
    const cross = await scene.fetch('/admin/api/clients/pause', OLGA, {
      method: 'POST',
      body: '{"client":"shop"}',
      headers: { 'Sec-Fetch-Site': 'same-site' },
    })
    assert.equal(cross.status, 403)
    const form = await scene.fetch('/admin/api/clients/pause', OLGA, {
      method: 'POST',
      body: '{"client":"shop"}',
      headers: { 'Content-Type': 'text/plain' },
    })
    assert.equal(form.status, 415)
    assert.equal((await scene.get('/nowhere')).status, 404)
    const method = await scene.ask('POST', '/me', OLGA, {})
    assert.equal(method.status, 405)
    assert.equal(method.headers.get('Allow'), 'GET')
  })
})

describe('a console that is made', () => {
  it('says what is missing, by name, and how to build its pages', () => {
    const assets = new BuiltAssets()
    const [op, logout, store] = [{ explain() {} }, { pages: { history() {} } }, { subscribe() {} }]
    const complete = { op, logout, store, authorize: () => undefined, assets: assets.folder }
    const make = (options: object) => () => adminConsole(options as never)
    try {
      assert.doesNotThrow(make(complete))
      for (const name of ['op', 'logout', 'store', 'authorize']) {
        assert.throws(
          make({ ...complete, [name]: undefined }),
          (error) => error instanceof OptionInvalidError && error.option === name,
        )
      }
      const bad = {
        basePath: 'admin',
        origin: 'https://x/',
        signInUrl: '//x',
        signOutUrl: 'javascript:x',
        clients: {},
        extra: 1,
      }
      for (const [name, value] of Object.entries(bad))
        assert.throws(make({ ...complete, [name]: value }), new RegExp(name), name)
      assert.throws(make({ ...complete, assets: '/nowhere' }), /npm run build/)
    } finally {
      assets.remove()
    }
  })

  it('logs what the application’s own answer to who this is throws, and shows nobody what it says', async () => {
    const lines: object[] = []
    const logger = { ...silent, error: (fields: object) => void lines.push(fields) }
    const err = new Error('connect ECONNREFUSED db.internal')
    const authorize = () => Promise.reject(err)
    const scene = await ConsoleScene.start({}, { console: { authorize, logger } })
    try {
      const page = await scene.fetch('/admin/logouts', OLGA)
      const message = 'the request failed in an unforeseen way'
      assert.deepEqual([page.status, await page.json()], [500, { error: { code: 'INTERNAL', message } }])
      const data = await scene.get('/me')
      assert.deepEqual([data.status, data.text.includes('db.internal')], [500, false])
      assert.deepEqual(
        lines,
        ['/logouts', '/api/me'].map((path) => ({
          component: 'console',
          event: 'console_failed',
          err,
          method: 'GET',
          path,
        })),
      )
    } finally {
      await scene.stop()
    }
  })

  it('sends who is not signed in to where the application signs in', async () => {
    const scene = await ConsoleScene.start({}, { console: { signInUrl: '/sign-in', basePath: '/ops' } })
    try {
      const page = await scene.site.fetch(new Request(`${ORIGIN}/ops/logouts`), NOBODY)
      assert.equal(page?.status, 302)
      assert.equal(page?.headers.get('Location'), '/sign-in')
    } finally {
      await scene.stop()
    }
  })
})
