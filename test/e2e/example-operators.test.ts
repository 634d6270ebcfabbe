import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApiErrorBody, LiveChanges, Me } from '../../plugins/admin-console/api/contract.ts'
import { type ExamplePlaces, ExampleProcess, examplePlaces } from '../support/example-process.ts'
import { UserAgent } from '../support/user-agent.ts'

const OTHER_SITE = { origin: 'https://evil.example.com', 'sec-fetch-site': 'cross-site' }

describe('the operators’ console of the example', () => {
  let folder: string
  let places: ExamplePlaces
  let example: ExampleProcess
  let page: string
  let own: Record<string, string>

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eventstore-operators-'))
    places = await examplePlaces(folder)
    example = await ExampleProcess.start({ ...places.environment, START: 'op' })
    page = `${places.op}/operators`
    own = { origin: places.op, 'sec-fetch-site': 'same-origin' }
  })

  after(async () => {
    await example.end('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })

  function password(): string {
    const [, found = ''] = /Operators +http:\S+\/operators +the password of this run: (\S+)/.exec(example.output) ?? []
    assert.ok(found.length >= 20)
    return found
  }

  async function signedIn(more: Record<string, string> = {}): Promise<UserAgent> {
    const agent = new UserAgent()
    const answer = await agent.post(`${page}/sign-in`, { name: 'anna', password: password(), ...more }, own)
    assert.deepEqual([answer.status, answer.headers.get('location')], [303, '/operators'])
    return agent
  }

  /** With any cookie: also with one that a browser would have thrown away. */
  async function operatorOf(cookie: string | undefined): Promise<string> {
    const response = await fetch(`${page}/api/me`, { headers: { cookie: `op.operator=${cookie}` } })
    const { name = '', role, error } = (await response.json()) as Partial<Me & ApiErrorBody>
    return error?.code ?? `${name}, ${role}`
  }

  it('is linked from the first page, and asks who comes without a session to sign in', async () => {
    const agent = new UserAgent()
    assert.match((await agent.get(`${places.op}/`)).text, /<a href="\/operators">/)
    const answer = await agent.get(page)
    assert.equal(answer.headers.get('location'), '/operators/sign-in')
    assert.match((await agent.follow(answer)).text, /This way in is the example’s/)
    assert.equal(await operatorOf(undefined), 'NOT_SIGNED_IN')
  })

  it('lets in with the password and a name, by a cookie that no script reads and no other site sends', async () => {
    const response = await fetch(`${page}/sign-in`, {
      method: 'POST',
      redirect: 'manual',
      headers: own,
      body: new URLSearchParams({ name: 'anna', password: password() }),
    })
    const [cookie = '', ...others] = response.headers.getSetCookie()
    assert.deepEqual(others, [])
    assert.match(cookie, /^op\.operator=[\w-]{43}; path=\/operators; expires=[^;]+; samesite=strict; httponly$/)
    const agent = await signedIn()
    assert.match((await agent.get(page)).text, /<meta name="base-path" content="\/operators">/)
    assert.match((await agent.get(`${page}/logouts`)).text, /<script type="module" src="\/operators\/assets\//)
    assert.equal(await operatorOf(agent.cookie('op.operator')), 'anna, operator')
  })

  it('lets nobody in with another password, no name, a cookie of their own, or from another site', async () => {
    const agent = new UserAgent()
    const tries = [
      { name: 'anna', password: 'guess' },
      { name: 'anna', password: '' },
      { name: 'anna' },
      { name: '', password: password() },
      { name: '<b>anna</b>', password: password() },
      { password: password() },
    ]
    for (const form of tries) {
      const answer = await agent.post(`${page}/sign-in`, form as Record<string, string>, own)
      assert.equal(answer.status, 403)
      assert.match(answer.text, /role="alert"/)
    }
    const right = { name: 'anna', password: password() }
    assert.equal((await agent.post(`${page}/sign-in`, right, OTHER_SITE)).status, 403)
    assert.equal((await agent.post(`${page}/sign-in`, right)).status, 403, 'without a word of where it comes from')
    assert.equal(agent.cookie('op.operator'), undefined)
    assert.equal(await operatorOf('x'.repeat(43)), 'NOT_SIGNED_IN')
  })

  it('lets whoever only wants to look change nothing', async () => {
    const agent = await signedIn({ looks: 'yes' })
    assert.equal(await operatorOf(agent.cookie('op.operator')), 'anna, viewer')
    const response = await fetch(`${page}/api/features`, {
      method: 'PUT',
      headers: { ...own, cookie: `op.operator=${agent.cookie('op.operator')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ feature: 'single_session_termination', level: 'instance', enabled: true }),
    })
    assert.equal(response.status, 403)
  })

  it('is over with the sign-out, and with the process', async () => {
    const agent = await signedIn()
    const first = agent.cookie('op.operator')
    assert.equal((await agent.post(`${page}/sign-out`, {}, OTHER_SITE)).status, 403)
    assert.equal(await operatorOf(first), 'anna, operator')
    assert.equal((await agent.post(`${page}/sign-out`, {}, own)).status, 303)
    assert.equal(agent.cookie('op.operator'), undefined)
    assert.equal(await operatorOf(first), 'NOT_SIGNED_IN')
    const second = (await signedIn()).cookie('op.operator')
    const before = password()
    await example.end()
    example = await ExampleProcess.start({ ...places.environment, START: 'op' })
    assert.equal(await operatorOf(second), 'NOT_SIGNED_IN')
    assert.notEqual(password(), before)
  })

  it('has headers that let nothing in from elsewhere, and nothing inline', async () => {
    const agent = await signedIn()
    const answers = [await agent.get(page), await agent.get(`${page}/nowhere`)]
    for (const { headers, url } of answers) {
      const policy = new Map(
        String(headers.get('content-security-policy'))
          .split('; ')
          .map((directive) => [directive.split(' ', 1)[0], directive.slice(directive.indexOf(' ') + 1)]),
      )
      assert.deepEqual(
        [...policy],
        [
          ['default-src', "'none'"],
          ['script-src', "'self'"],
          ['style-src', "'self'"],
          ['img-src', "'self'"],
          ['connect-src', "'self'"],
          ['form-action', "'self'"],
          ['frame-ancestors', "'none'"],
          ['base-uri', "'none'"],
          ['require-trusted-types-for', "'script'"],
          ['trusted-types', "'none'"],
        ],
        url,
      )
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin')
      assert.equal(headers.get('referrer-policy'), 'same-origin')
    }
    for (const { text } of [...answers, await agent.get(`${page}/sign-in`)]) {
      assert.doesNotMatch(text, /<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/)
    }
  })

  it('announces that something has changed, to operators only', async () => {
    const agent = await signedIn()
    const cookie = `op.operator=${agent.cookie('op.operator')}`
    const { body, headers } = await fetch(`${page}/api/live`, { headers: { ...own, cookie } })
    assert.equal(headers.get('content-type'), 'text/event-stream; charset=utf-8')
    const announced = (async () => {
      let text = ''
      for await (const chunk of body ?? []) {
        text += Buffer.from(chunk).toString()
        const [, data = '{}'] = /event: changes\ndata: (.*)\n/.exec(text) ?? []
        if ((JSON.parse(data) as Partial<LiveChanges>).topics?.includes('features')) return
      }
      throw new Error(`the stream ended: ${text}`)
    })()
    const gate = { feature: 'single_session_termination', level: 'instance', enabled: true }
    await fetch(`${page}/api/features`, {
      method: 'PUT',
      headers: { ...own, cookie, 'content-type': 'application/json' },
      body: JSON.stringify(gate),
    })
    await announced
    const stranger = await new UserAgent().get(`${page}/api/live`, own)
    assert.equal(stranger.status, 401)
  })

  it('is not there where the OP is not', async () => {
    await example.end()
    example = await ExampleProcess.start({ ...places.environment, START: 'rp-one' })
    assert.doesNotMatch(example.output, /password/)
    assert.equal((await new UserAgent().get(`${places.one}/operators`)).status, 404)
  })
})
