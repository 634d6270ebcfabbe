import assert from 'node:assert/strict'
import { type Answer, field, UserAgent } from './user-agent.ts'

/** A person with a browser who uses the example. */
export class ExamplePerson {
  readonly #agent = new UserAgent()

  async get(url: string): Promise<Answer> {
    return this.#agent.follow(await this.#agent.get(url))
  }

  async page(url: string): Promise<string> {
    return (await this.get(`${url}/`)).text
  }

  /** Looks at a page again and again until it shows this. */
  async sees(url: string, pattern: RegExp): Promise<void> {
    while (!pattern.test(await this.page(url))) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Sends the form whose action ends so, with the fields and the button that it holds. */
  async submit(page: Answer, action: string, more: Record<string, string> = {}): Promise<Answer> {
    const form = new RegExp(`<form[^>]* action="([^"]*${action})"[^>]*>([\\s\\S]*?)</form>`).exec(page.text)
    if (form === null) throw new Error(`no form for ${action} in ${page.url}:\n${page.text}`)
    const [, target = '', fields = ''] = form
    const values = Object.fromEntries(
      [...fields.matchAll(/name="([^"]+)" value="([^"]+)"/g)].map(([, name = '', value = '']) => [name, value]),
    )
    return this.#agent.follow(await this.#agent.post(new URL(target, page.url).href, { ...values, ...more }))
  }

  /** @param name - with whom it answers if it is asked who it is; absent: it must not be asked */
  async logIn(rp: string, name?: string): Promise<void> {
    let page = await this.get(`${rp}/login`)
    if (name !== undefined) page = await this.submit(page, '/login', { login: name })
    assert.match(page.text, /Continue to RP/)
    page = await this.submit(page, '/consent')
    assert.match(page.text, /Hello, /)
  }

  async logOut(rp: string, where: 'everywhere' | 'here' = 'everywhere'): Promise<void> {
    const question = await this.submit(await this.get(`${rp}/`), '/logout')
    assert.match(question.text, /Log out everywhere\?/)
    assert.match(question.text, /Only from RP/)
    const xsrf = field(question.text, /name="xsrf" value="([^"]+)"/)
    const answer = await this.submit(question, '/session/end/confirm', {
      xsrf,
      ...(where === 'everywhere' && { logout: 'yes' }),
    })
    assert.match(answer.text, /you logged out here at/)
  }

  /** Opens a stream of changes, as the page's script does. */
  async follow(url: string, session: string): Promise<{ readonly changed: Promise<void> }> {
    const cookie = [session, `${session}.sig`].map((name) => `${name}=${this.#agent.cookie(name)}`).join('; ')
    const { body, headers } = await fetch(url, { headers: { cookie } })
    assert.equal(headers.get('content-type'), 'text/event-stream')
    const announced = async (): Promise<void> => {
      let text = ''
      for await (const chunk of body ?? []) {
        text += Buffer.from(chunk).toString()
        if (text.includes('event: changed\n')) return
      }
      throw new Error(`the stream ended: ${text}`)
    }
    return { changed: announced() }
  }
}
