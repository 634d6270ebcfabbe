import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'
import { eventNames, SteeredStore } from '../support/steered-store.ts'
import { type Answer, field } from '../support/user-agent.ts'

const RP = testClient('rp')
const OTHER = testClient('other')
const BYE = { client_id: 'rp', post_logout_redirect_uri: 'https://rp.example.com/bye', state: 'st' }

describe('a form that is submitted twice', () => {
  const store = new SteeredStore(new MemoryEventStore())
  let op: Op
  before(async () => {
    op = await startOp(store, { clients: [RP, OTHER], plugins: [backChannelLogout()] })
  })
  after(async () => {
    await op.stop()
    await store.close()
  })

  /** The same form, from the same page of the same browser, as often as somebody clicks. */
  function form(
    page: Answer,
    more: Record<string, string>,
  ): { readonly action: string; readonly fields: Record<string, string> } {
    const action = new URL(field(page.text, /action="([^"]+)"/), page.url).href
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1]
    const prompt = /name="prompt" value="([^"]+)"/.exec(page.text)?.[1]
    return { action, fields: { ...(xsrf && { xsrf }), ...(prompt && { prompt }), ...more } }
  }

  for (const everywhere of [true, false]) {
    const whole = everywhere ? 'of the whole session' : 'of the asking RP alone'

    for (const order of ['at once', 'one after the other'] as const) {
      it(`to log out ${whole}, ${order}, ends for the user as one does`, async () => {
        const person = new Person(op)
        await person.authorize('rp')
        await person.authorize('other')
        const { action, fields } = form(await person.endSession(BYE), everywhere ? { logout: 'yes' } : {})
        const [first, second] = [person.agent.clone(), person.agent.clone()]
        const commits = store.commits.length
        const submit = (agent: typeof first) => () => agent.post(action, fields)
        const answers =
          order === 'at once'
            ? await Promise.all([submit(first)(), submit(second)()])
            : [await submit(first)(), await submit(second)()]
        for (const { status, headers } of answers) {
          assert.equal(status, 303)
          assert.equal(headers.get('location'), 'https://rp.example.com/bye?state=st')
        }
        const ended = store.commits.slice(commits)
        assert.equal(ended.length, 1, ended.map((commit) => eventNames(commit).join()).join(' | '))
        assert.equal(
          eventNames(ended[0] ?? { events: [] }).filter((name) => name.startsWith('session_logout')).length,
          1,
        )
      })
    }
  }

  for (const [login, more] of [
    ['rp', { prompt: 'consent' }],
    ['other', {}],
  ] as const) {
    it(`to log out, on its way while another tab has the session’s id rotated (a login at ${login}), ends the session`, async () => {
      const person = new Person(op)
      await person.authorize('rp')
      const { action, fields } = form(await person.endSession(BYE), { logout: 'yes' })
      const onItsWay = person.agent.clone()
      const uid = (await op.provider.Session.find(person.agent.cookie('_session') ?? ''))?.uid ?? ''
      await person.authorize(login, more)
      assert.notEqual(person.agent.cookie('_session'), onItsWay.cookie('_session'))
      let answer = await onItsWay.post(action, fields)
      // The browser sends the form again, with the cookies that it has by now.
      if (answer.status === 307) answer = await person.agent.post(action, fields)
      assert.equal(answer.headers.get('location'), 'https://rp.example.com/bye?state=st')
      assert.equal(await op.eventSourced.adapter('Session').findByUid(uid), undefined)
    })
  }

  it('to log out, with a secret that is not the form’s, is refused', async () => {
    const person = new Person(op)
    await person.authorize('rp')
    const { action, fields } = form(await person.endSession(BYE), { logout: 'yes' })
    const again = person.agent.clone()
    await person.agent.post(action, fields)
    const answer = await again.post(action, { ...fields, xsrf: 'x'.repeat(43) })
    assert.equal(answer.status, 400)
  })

  it('to log out leaves alone the grant that the user has given again meanwhile', async () => {
    const person = new Person(op)
    await person.authorize('rp')
    const { action, fields } = form(await person.endSession(BYE), { logout: 'yes' })
    const again = person.agent.clone()
    await person.agent.post(action, fields)
    const tokens = await new Client(op, RP).exchange((await person.authorize('rp')).get('code') ?? '')
    await again.post(action, fields)
    assert.equal((await new Client(op, RP).userinfo(String(tokens.body['access_token']))).status, 200)
  })

  for (const what of ['login', 'consent'] as const) {
    /** The page with the form, in a browser that came this far. */
    const pageOf = async (person: Person): Promise<Answer> => {
      const first = await person.agent.follow(await person.agent.get(person.authorizationUrl('rp')))
      if (what === 'login') return first
      return person.agent.follow(await person.submit(first))
    }
    const answers = what === 'login' ? { login: 'alice', password: 'x' } : {}

    it(`to ${what}, at once, ends for the user as one does`, async () => {
      const person = new Person(op)
      const { action, fields } = form(await pageOf(person), answers)
      const [, second] = await Promise.all([
        person.agent.clone().post(action, fields),
        person.agent.post(action, fields),
      ])
      assert.ok((await person.finish(second)).get('code'))
    })
  }

  it('to log in, when the answer to the first was lost after the provider had gone on, ends for the user as one does', async () => {
    const person = new Person(op)
    const page = await person.agent.follow(await person.agent.get(person.authorizationUrl('rp')))
    const { action, fields } = form(page, { login: 'alice', password: 'x' })
    const lost = person.agent.clone()
    await new Person(op, lost).finish(await lost.post(action, fields))
    assert.ok((await person.finish(await person.agent.post(action, fields))).get('code'))
  })
})
