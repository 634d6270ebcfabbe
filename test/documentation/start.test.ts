import assert from 'node:assert/strict'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { GuidePrograms } from '../support/guide-programs.ts'
import { openDatabase } from '../support/mongo-database.ts'
import { Person } from '../support/op.ts'

describe('the first five minutes, by copy and paste', () => {
  let programs: GuidePrograms
  let opPort: string
  let op: { readonly issuer: string }

  before(async () => {
    programs = await GuidePrograms.read('docs/start.md')
    opPort = String(await portOutsideEphemeralRange())
    op = { issuer: `http://localhost:${opPort}` }
  })
  after(() => programs.end())

  it('begin with an OP on the embedded store, which prints its commits and forgets nobody', async () => {
    const start = { answers: `${op.issuer}/jwks`, values: { '3000': opPort } }
    const first = await programs.start('op.mjs', start)
    const alice = new Person(op)
    assert.ok((await alice.authorize('rp')).get('code'))
    await first.printed('AuthorizationCode stored')
    assert.match(first.output, /^1 Interaction stored$/m)
    await first.stop()

    const second = await programs.start('op.mjs', start)
    assert.ok((await alice.authorize('rp', { prompt: 'none' })).get('code'), 'she is still logged in')
    await second.stop()
  })

  it('tell an RP of a logout at the OP', async () => {
    const rpPort = String(await portOutsideEphemeralRange())
    const rp = `http://localhost:${rpPort}/`
    const opProgram = await programs.start('op-logout.mjs', {
      answers: `${op.issuer}/jwks`,
      values: { '3000': opPort, '3001': rpPort },
    })
    const rpProgram = await programs.start('rp.mjs', {
      answers: `${rp}backchannel-logout`,
      values: { '3000': opPort, '3001': rpPort },
    })
    const person = new Person(op)
    const { agent } = person
    let page = await agent.follow(await agent.get(rp))
    while (page.text.includes('name="prompt"')) page = await agent.follow(await person.submit(page, 'alice'))
    assert.match(page.text, /You are alice/)

    await person.logout()
    await opProgram.printed('"timeToLogoutMs"')
    assert.match(opProgram.output, /"clientId": "shop"[^}]*"state": "confirmed"/)
    const after = await agent.get(rp)
    assert.equal(after.status, 302, 'she has to log in again')
    assert.ok(after.headers.get('location')?.startsWith(`${op.issuer}/auth`))
    await rpProgram.stop()
    await opProgram.stop()
  })

  it('go on with MongoDB', async () => {
    const database = await openDatabase('start')
    try {
      const secret = (): string => crypto.getRandomValues(Buffer.alloc(32)).toString('base64url')
      const ring = (): object[] => [{ id: '1', secret: secret() }]
      const program = await programs.start('op-mongodb.mjs', {
        answers: `${op.issuer}/jwks`,
        values: { '3000': opPort, "client.db('op')": `client.db('${database.name}')` },
        env: { MONGODB_URI: database.uri, OP_KEYS: JSON.stringify({ sealing: ring(), hashing: ring() }) },
      })
      assert.ok((await new Person(op).authorize('rp')).get('code'))
      assert.ok((await database.db.collection('events').countDocuments()) > 3)
      assert.equal(await program.stop(), 0, program.output)
    } finally {
      await database.drop()
    }
  })

  it('leave no program out', () => {
    assert.deepEqual(programs.leftOut, [])
  })
})
