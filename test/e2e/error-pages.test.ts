import assert from 'node:assert/strict'
import type { Configuration } from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { OutcomeUnknownError, StoreUnavailableError } from '../../lib/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type Op, Person, startOp } from '../support/op.ts'
import { SteeredStore } from '../support/steered-store.ts'
import type { Answer } from '../support/user-agent.ts'

type RenderError = NonNullable<Configuration['renderError']>

const AWAY = new StoreUnavailableError('no server')

describe('the answer to a browser while the store is not available', () => {
  let store: SteeredStore
  let clock: FakeClock
  let op: Op | undefined

  beforeEach(() => {
    store = new SteeredStore(new MemoryEventStore())
    clock = new FakeClock(Date.now())
  })
  afterEach(async () => {
    await op?.stop()
    op = undefined
    await store.close()
  })

  /** Somebody comes to an OP that cannot store what would follow. */
  async function refused(
    renderError?: RenderError,
    { error = AWAY, accept }: { readonly error?: Error; readonly accept?: string } = {},
  ): Promise<Answer> {
    op = await startOp(store, { clock, ...(renderError && { configuration: { renderError } }) })
    store.beforeAppend = () => {
      throw error
    }
    const person = new Person(op)
    const url = person.authorizationUrl('rp', { state: '<script>alert(1)</script>' })
    const answer = await person.agent.get(url, accept === undefined ? {} : { accept })
    assert.deepEqual(answer.headers.getSetCookie(), [])
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    return answer
  }

  function assertPlain({ status, headers, text }: Answer): void {
    assert.equal(status, 503)
    assert.equal(headers.get('retry-after'), '2')
    assert.equal(headers.get('content-type'), 'text/html; charset=utf-8')
    assert.match(text, /<html lang="en">[\s\S]*<title>Please try again<\/title>[\s\S]*not available for the moment/)
    assert.match(text, /temporarily_unavailable/)
    assert.doesNotMatch(text, /script/)
  }

  it('is a plain page where the deployment has none of its own, without anything that the request said', async () => {
    assertPlain(await refused())
  })

  it('is the deployment’s own error page, as the provider shows it', async () => {
    const shown: unknown[] = []
    const answer = await refused(async (ctx, out, error) => {
      await undefined
      shown.push({ ...out }, (error as Error & { status?: number }).status)
      ctx.type = 'html'
      ctx.body = `<h1>ours: ${out.error}</h1>`
    })
    assert.deepEqual(shown, [
      {
        error: 'temporarily_unavailable',
        error_description: 'the service is not available for the moment, please try again',
      },
      503,
    ])
    assert.equal(answer.status, 503)
    assert.equal(answer.headers.get('retry-after'), '2')
    assert.match(answer.headers.get('content-type') ?? '', /^text\/html/)
    assert.equal(answer.text, '<h1>ours: temporarily_unavailable</h1>')
  })

  for (const [how, fail] of [
    [
      'throws',
      () => {
        throw AWAY
      },
    ],
    ['rejects', () => Promise.reject(AWAY)],
  ] as const) {
    it(`is a plain page where the deployment’s own ${how}, with nothing of what that had begun`, async () => {
      const answer = await refused((ctx) => {
        ctx.body = { half: 'a page' }
        ctx.set('X-Half', 'a header')
        ctx.cookies.set('half', 'a cookie')
        return fail()
      })
      assertPlain(answer)
      assert.equal(answer.headers.get('x-half'), null)
    })
  }

  it('is a plain page after a second where the deployment’s own waits for what has failed', async () => {
    let asked = (): void => {}
    const begun = new Promise<void>((resolve) => {
      asked = resolve
    })
    const answer = refused(() => {
      asked()
      return new Promise(() => {})
    })
    await begun
    let isAnswered = false
    void answer.then(() => {
      isAnswered = true
    })
    await clock.advance(999)
    assert.equal(isAnswered, false)
    await clock.advance(1)
    assertPlain(await answer)
  })

  it('says of an unknown outcome that it is unknown, and does not invite to try again', async () => {
    const answer = await refused(undefined, { error: new OutcomeUnknownError('timeout') })
    assert.equal(answer.status, 500)
    assert.equal(answer.headers.get('retry-after'), null)
    assert.match(answer.text, /did not learn in time whether the request took effect: it may have/)
  })

  for (const accept of ['application/json', '*/*', 'application/json, text/html;q=0.5']) {
    it(`is JSON for a client that accepts ${accept}`, async () => {
      const answer = await refused(() => assert.fail('no page is asked for'), { accept })
      assert.equal(answer.status, 503)
      assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
      assert.deepEqual(JSON.parse(answer.text), {
        error: 'temporarily_unavailable',
        error_description: 'the service is not available for the moment, please try again',
      })
    })
  }
})
