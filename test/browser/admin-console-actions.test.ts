import assert from 'node:assert/strict'
import { mock } from 'node:test'
import type { Operation } from '../../plugins/admin-console/api/contract.ts'

/** What the server answers: by the path below the API, and the body. */
type Server = (path: string, body: { readonly target?: object; readonly dryRun?: boolean }) => Promise<Response>

const GLOBALS = ['document', 'location', 'history', 'fetch'] as const

/** The parts of the page that ask for changes, without a browser: its modules ask a page where they are. */
async function ui() {
  const actions = '../../plugins/admin-console/ui/actions/'
  const action = await import(`${actions}action.ts`)
  const sessions = await import(`${actions}session-actions.ts`)
  const deliveries = await import(`${actions}delivery-actions.ts`)
  const { toasts } = await import('../../plugins/admin-console/ui/parts/toast.ts')
  return { ...action, ...sessions, ...deliveries, toasts }
}

const json = (status: number, body: object): Response => Response.json(body, { status })
const told = (operation: Operation): Response => json(operation.state === 'running' ? 202 : 200, { operation })
const unknown = (): Response =>
  json(404, { error: { code: 'OPERATION_UNKNOWN', message: 'this process knows it not' } })
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}
/** Lets the time pass in which the page pauses. */
const pass = async (ms: number): Promise<void> => {
  await turns()
  mock.timers.tick(ms)
  await turns()
}

const ENDS = { sessions: 9, logins: 9, grants: 0, failed: 0 }

function operation(id: string, more: Partial<Operation> = {}): Operation {
  const request = { target: { all: true as const } }
  const about = { id, kind: 'terminate' as const, dryRun: false, request, actor: 'olga', startedAt: 0 }
  return { ...about, state: 'running', cancelling: 'stops', progress: { done: 0 }, ...more }
}

describe('the dialog of an action', () => {
  const kept = new Map<string, PropertyDescriptor | undefined>()
  let page: Awaited<ReturnType<typeof ui>>
  let server: Server
  let asked: string[]

  before(async () => {
    for (const name of GLOBALS) kept.set(name, Object.getOwnPropertyDescriptor(globalThis, name))
    const stand = {
      document: { querySelector: () => null, addEventListener: () => {}, visibilityState: 'visible' },
      location: { pathname: '/', search: '', origin: 'http://console' },
      history: { state: null, pushState: () => {}, replaceState: () => {} },
      fetch: async (url: string, { body }: { readonly body?: string } = {}) => {
        asked.push(url)
        return server(url.replace('/api', ''), body === undefined ? {} : JSON.parse(body))
      },
    }
    for (const [name, value] of Object.entries(stand))
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
    page = await ui()
  })
  after(() => {
    for (const [name, descriptor] of kept) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor)
      else Reflect.deleteProperty(globalThis, name)
    }
  })
  beforeEach(() => {
    asked = []
    mock.timers.enable({ apis: ['setTimeout'] })
  })
  afterEach(() => {
    page.dismiss()
    mock.timers.reset()
  })

  const phase = () => page.openAction.value?.phase
  const lastToast = (): string | undefined => page.toasts.value.at(-1)?.text
  const planned = (id: string): Response =>
    told(operation(id, { dryRun: true, state: 'completed', result: { ...ENDS } }))

  it('shows nothing of what was asked for before, and left while it was being started', async () => {
    const answers: (() => void)[] = []
    server = async (_path, { dryRun, target }) => {
      if (dryRun) return planned('plan')
      assert.deepEqual(target, { account: 'alice' })
      await new Promise<void>((resolve) => answers.push(resolve))
      return told(operation('of-alice', { cancelling: 'leaves' }))
    }
    page.askToEndAccount('alice', ['admin'], () => {})
    await turns()
    void page.act()
    await turns()
    assert.equal(phase()?.kind, 'starting')
    page.dismiss()
    assert.equal(lastToast(), 'It goes on: Terminations shows how far it is.')
    page.askToEndAccount('bob', ['admin'], () => {})
    await turns()
    assert.equal(phase()?.kind, 'ready')
    answers[0]?.()
    await turns()
    assert.equal(page.openAction.value?.action.title, 'End all sessions of bob')
    assert.equal(phase()?.kind, 'ready')
  })

  it('tells what was left and did not work, beside what is asked for by now', async () => {
    const answers: (() => void)[] = []
    server = async (_path, { dryRun }) => {
      if (dryRun) return planned('plan')
      await new Promise<void>((resolve) => answers.push(resolve))
      return json(429, { error: { code: 'TOO_MANY_OPERATIONS', message: 'too many' } })
    }
    page.askToEndAccount('alice', ['admin'], () => {})
    await turns()
    void page.act()
    await turns()
    page.dismiss()
    page.askToEndAccount('bob', ['admin'], () => {})
    await turns()
    answers[0]?.()
    await turns()
    assert.equal(lastToast(), 'End all sessions of alice: It did not work. Too many. (TOO_MANY_OPERATIONS)')
    assert.equal(phase()?.kind, 'ready')
  })

  it('closes nothing that was asked for since, where a change is done at once', async () => {
    const answers: (() => void)[] = []
    server = async (path, { dryRun }) => {
      if (dryRun) return planned('plan')
      assert.equal(path, '/clients/pause')
      await new Promise<void>((resolve) => answers.push(resolve))
      return json(200, {})
    }
    page.askToPause('shop', () => {})
    void page.act()
    await turns()
    page.dismiss()
    assert.equal(lastToast(), 'It goes on.')
    page.askToEndAll(['admin'], () => {})
    await turns()
    answers[0]?.()
    await turns()
    assert.equal(lastToast(), 'shop is paused.')
    assert.equal(phase()?.kind, 'ready')
  })

  it('goes on looking where it cannot be asked how far something is: that says nothing of what runs', async () => {
    const answers: (() => Response | Promise<Response>)[] = []
    server = async (_path, { dryRun, target }) => {
      if (dryRun) return planned('plan')
      if (target) return told(operation('all', { cancelling: 'leaves', termination: 't' }))
      return answers.shift()?.() ?? new Response('bad gateway', { status: 502 })
    }
    const over: true[] = []
    page.askToEndAll(['admin'], () => over.push(true))
    await turns()
    void page.act()
    await turns()
    const running = () => {
      const now = phase()
      return now?.kind === 'running' ? now.isUnheard : now
    }
    assert.equal(running(), false)
    await pass(1_000)
    assert.equal(running(), true)
    answers.push(() => Promise.reject(new TypeError('no network')))
    await pass(2_000)
    assert.equal(running(), true)
    await pass(3_999)
    assert.equal(asked.length, 4, 'the pauses get longer')
    answers.push(() => told(operation('all', { cancelling: 'leaves', progress: { done: 4 } })))
    await pass(1)
    assert.equal(running(), false)
    answers.push(() => told(operation('all', { state: 'completed', result: { ...ENDS } })))
    await pass(1_000)
    const end = phase()
    assert.match(end?.kind === 'over' ? end.text : '', /^9 sessions ended/)
    assert.deepEqual(over, [true])
  })

  it('asks every ten seconds at least, however long it does not work', async () => {
    server = async (_path, { dryRun, target }) => {
      if (dryRun) return planned('plan')
      return target ? told(operation('long')) : new Response('', { status: 504 })
    }
    page.askToEndAll(['admin'], () => {})
    await turns()
    void page.act()
    for (const ms of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) await pass(ms)
    assert.equal(asked.length, 2 + 6)
    assert.equal(phase()?.kind, 'running')
  })

  it('finds the process that runs it behind a load balancer, and says where to look where none does', async () => {
    let knows = 0
    server = async (_path, { dryRun, target }) => {
      if (dryRun) return planned('plan')
      if (target) return told(operation('elsewhere'))
      knows += 1
      return knows % 2 === 0 && knows < 5 ? told(operation('elsewhere', { progress: { done: knows } })) : unknown()
    }
    page.askToEndAll(['admin'], () => {})
    await turns()
    void page.act()
    for (let look = 0; look < 4; look++) await pass(1_000)
    const now = phase()
    assert.ok(now?.kind === 'running' && !now.isUnheard && now.operation.progress.done === 4)
    for (let look = 0; look < 5; look++) await pass(1_000)
    const end = phase()
    assert.ok(end?.kind === 'over' && end.tone === 'quiet')
    assert.match(end.text, /^Another process runs it, or did/)
  })

  it('lets the operator go on without a count that another process has', async () => {
    server = async (_path, { dryRun }) => (dryRun ? told(operation('count', { dryRun: true })) : unknown())
    page.askToEndAll(['admin'], () => {})
    await turns()
    for (let look = 0; look < 5; look++) await pass(1_000)
    const now = phase()
    assert.ok(now?.kind === 'ready' && !now.isNothing)
    assert.match(now.lines[0] ?? '', /^It was not counted: another process/)
  })

  it('says that it may have been ordered where the answer was lost, and that it was not where the server says so', async () => {
    const endings: [() => Response, string][] = [
      [() => new Response('<html>', { status: 502 }), 'It may have been ordered: look under Terminations.'],
      [
        () => json(503, { error: { code: 'OUTCOME_UNKNOWN', message: 'no answer' } }),
        'It may have been ordered: look under Terminations.',
      ],
      [() => json(429, { error: { code: 'TOO_MANY_OPERATIONS', message: 'too many' } }), 'It did not work.'],
      [() => new Response('', { status: 413 }), 'It did not work.'],
    ]
    for (const [answer, text] of endings) {
      server = async (_path, { dryRun }) => (dryRun ? planned('plan') : answer())
      page.askToEndAll(['admin'], () => {})
      await turns()
      await page.act()
      const { action, phase } = page.openAction.value ?? {}
      assert.equal(phase?.kind === 'failing' && page.describeFailure(action, phase.failure), text)
      page.dismiss()
    }
    server = () => Promise.reject(new TypeError('no network'))
    page.askToPause('shop', () => {})
    await page.act()
    const { action, phase } = page.openAction.value ?? {}
    assert.equal(
      phase?.kind === 'failing' && page.describeFailure(action, phase.failure),
      'It may have been done: look again.',
    )
  })

  it('counts one as one, and keeps the code of what failed', async () => {
    const endings: [Partial<Operation>, string][] = [
      [{ state: 'cancelled', progress: { done: 1 } }, 'Cancelled: 1 was done until then, and stays so.'],
      [{ state: 'cancelled', progress: { done: 2 } }, 'Cancelled: 2 were done until then, and stay so.'],
      [
        { state: 'failed', error: { code: 'STORE_UNAVAILABLE', message: 'no answer' } },
        'No answer. (STORE_UNAVAILABLE)',
      ],
    ]
    for (const [end, text] of endings) {
      server = async (_path, { dryRun }) => (dryRun ? planned('plan') : told(operation(text, end)))
      page.askToEndAll(['admin'], () => {})
      await turns()
      await page.act()
      const now = phase()
      assert.equal(now?.kind === 'over' && now.text, text)
      page.dismiss()
    }
    const error = { code: 'STORE_UNAVAILABLE', message: 'no answer' }
    server = async () => told(operation('plan', { dryRun: true, state: 'failed', error }))
    page.askToEndAll(['admin'], () => {})
    await turns()
    const now = phase()
    assert.equal(now?.kind === 'failing' && now.failure.code, 'STORE_UNAVAILABLE')
  })
})
