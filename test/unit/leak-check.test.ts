import assert from 'node:assert/strict'
import { KeptLog } from '../support/kept-log.ts'
import { checkedLogger, checkedTelemetry, LeakCheck } from '../support/leak-check.ts'

const TOKEN = 'vY3nUqk1Yh2cW0rT8sJ5bL7dF9gK4mZ6'

describe('the check of log lines for secrets', () => {
  let check: LeakCheck
  beforeEach(() => {
    check = new LeakCheck()
  })

  it('finds a secret in the fields, in the message, in an error and in its cause', () => {
    check.secret(TOKEN, 'a token')
    const logger = checkedLogger(new KeptLog(), check)
    logger.debug({ event: 'a', token: TOKEN }, 'one')
    logger.info({ event: 'b' }, `two ${TOKEN}`)
    logger.warn({ event: 'c', err: new Error(`no ${TOKEN}`) }, 'three')
    logger.error({ event: 'd', err: new Error('no', { cause: Object.assign(new Error('no'), { TOKEN }) }) }, 'four')
    logger.child?.({ component: 'store' }).info({ event: 'e', list: [{ deep: TOKEN }] }, 'five')
    logger.info({ event: 'f' }, 'six')
    assert.equal(check.take().length, 5)
  })

  it('finds one that was cut off, one in a URL, and one that is known only later', () => {
    const logger = checkedLogger(new KeptLog(), check)
    logger.info({ event: 'a', url: `https://rp.example.com/cb?code=${TOKEN}&state=st` }, 'one')
    logger.info({ event: 'b' }, `"${TOKEN.slice(0, 16)}…`)
    check.look()
    check.secret(TOKEN, 'a code')
    const found = check.take()
    assert.equal(found.length, 2)
    assert.match(found[0] ?? '', /^a code, in "no test": one/)
  })

  for (const [what, text] of Object.entries({
    'a JWT': 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2ln',
    'a connection string with a password': 'mongodb://op:swordfish@db.example.com/op',
    'a private key': '{"kty":"RSA","d":"BAfFiXN4E9uvdX1CFuTpVi3JXJx5v"}',
    'a header with credentials': 'authorization: Basic cnA6c2VjcmV0LW9mLTcyNzA',
  })) {
    it(`finds ${what} by its shape`, () => {
      assert.equal(check.leakIn(`it was ${text} again`), what)
    })
  }

  it('finds the id of an account as a word of its own', () => {
    check.subject('alice')
    assert.equal(check.leakIn('the session of alice ended'), 'the account alice')
    assert.equal(check.leakIn('{"client_id":"alices-shop"}'), undefined)
  })

  it('finds secrets in names and attributes of spans and measurements', async () => {
    check.secret(TOKEN, 'a token')
    const telemetry = checkedTelemetry(check)
    await telemetry.span({ name: `send ${TOKEN}`, kind: 'client' }, async (span) => {
      span.set({ token: TOKEN })
      span.fail(TOKEN)
    })
    telemetry.record('oidc_provider_eventstore.append.duration', 1, { 'error.type': TOKEN })
    telemetry.record('oidc_provider_eventstore.append.duration', 1, { 'error.type': '_OTHER' })
    assert.equal(check.take().length, 4)
  })

  it('finds nothing in what is no secret', () => {
    check.secret(TOKEN, 'a token')
    check.secret('short', 'nothing')
    const lines = [
      'a session ended (rp_initiated): telling rp-one {"session":"xY3nUqk1Yh2cW0rT8sJ5b"}',
      'https://op.example.com/auth?client_id=rp short',
      'mongodb://db.example.com:27017/op',
      'Bearer tokens are short',
    ]
    for (const line of lines) assert.equal(check.leakIn(line), undefined, line)
  })

  it('holds a bounded number of lines, and finds what was in those that it holds no more', () => {
    check.secret(TOKEN, 'a token')
    check.line(TOKEN)
    for (let n = 0; n < 10_000; n++) check.line(`line ${n}`)
    assert.equal(check.take().length, 1)
  })
})
