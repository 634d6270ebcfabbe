import assert from 'node:assert/strict'
import { type IncomingHttpHeaders, request } from 'node:http'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { GuidePrograms, type RunningProgram } from '../support/guide-programs.ts'
import { Client, Person, testClient } from '../support/op.ts'

/** Where the page's provider is below its server, and the file that it says to save. */
const PAGES = {
  'docs/op/koa.md': { file: 'op.mjs', path: '/oidc', hasProbe: true },
  'docs/op/express.md': { file: 'op.mjs', path: '/oidc', hasProbe: true },
  'docs/op/fastify.md': { file: 'op.mjs', path: '/oidc', hasProbe: true },
  'docs/op/commonjs.md': { file: 'op.cjs', path: '', hasProbe: false },
} as const

for (const [page, { file, path, hasProbe }] of Object.entries(PAGES)) {
  describe(`the program of ${page}, run as it stands`, () => {
    let programs: GuidePrograms
    let program: RunningProgram
    let origin: string

    before(async () => {
      programs = await GuidePrograms.read(page)
      const port = await portOutsideEphemeralRange()
      origin = `http://localhost:${port}`
      program = await programs.start(file, { answers: `${origin}${path}/jwks`, values: { '3000': String(port) } })
    })
    after(() => programs.end())

    it('logs people in, gives tokens, and logs them out', async () => {
      const op = { issuer: `${origin}${path}` }
      const person = new Person(op)
      const code = (await person.authorize('rp')).get('code') ?? ''
      const credentials = Buffer.from('rp:secret').toString('base64')
      const client = new Client(op, { ...testClient('rp'), client_secret: undefined })
      const form = { grant_type: 'authorization_code', code, redirect_uri: 'https://rp.example.com/cb' }
      const { status } = await client.token(form, { authorization: `Basic ${credentials}` })
      assert.equal(status, 200)
      assert.match((await person.logout()).headers.get('location') ?? '', /\/session\/end\/success/)
    })

    if (hasProbe) {
      it('answers its own route beside the provider', async () => {
        const answer = await fetch(`${origin}/healthz`)
        assert.equal(answer.status, 200)
        assert.equal(((await answer.json()) as { isWell: boolean }).isWell, true)
      })
    }

    it('stops when it is told to', async () => {
      assert.equal(await program.stop(), 0, program.output)
      assert.deepEqual(programs.leftOut, [])
    })
  })
}

describe('the program of docs/op/proxy.md, run as it stands', () => {
  let programs: GuidePrograms
  let program: RunningProgram
  let port: number

  before(async () => {
    programs = await GuidePrograms.read('docs/op/proxy.md')
    port = await portOutsideEphemeralRange()
    const answers = `http://127.0.0.1:${port}/jwks`
    program = await programs.start('op.mjs', { answers, values: { '3000': String(port) } })
  })
  after(() => programs.end())

  it('has the addresses of the outside, and cookies for https', async () => {
    const discovery = JSON.parse((await throughProxy('/.well-known/openid-configuration')).body) as {
      readonly issuer: string
      readonly authorization_endpoint: string
    }
    assert.equal(discovery.issuer, 'https://login.example.com')
    assert.equal(discovery.authorization_endpoint, 'https://login.example.com/auth')
    const login = await throughProxy('/auth?client_id=rp&response_type=code&scope=openid')
    assert.equal(login.status, 303)
    assert.ok((login.headers['set-cookie'] ?? []).length > 0)
    for (const cookie of login.headers['set-cookie'] ?? []) assert.match(cookie, /; secure/i)
  })

  it('stops when it is told to', async () => {
    assert.equal(await program.stop(), 0, program.output)
    assert.deepEqual(programs.leftOut, [])
  })

  /** A request with the headers that the page has nginx set. */
  function throughProxy(path: string): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
    const headers = {
      host: 'login.example.com',
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '192.0.2.1',
      accept: 'text/html',
    }
    return new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path, headers }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      })
        .on('error', reject)
        .end()
    })
  }
})
