import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { findBrowser, launchBrowser } from '../support/browser.ts'
import { type ExamplePlaces, ExampleProcess, examplePlaces } from '../support/example-process.ts'
import { violationsOn } from './accessibility.ts'

/** How long anything on a page may take, in milliseconds. */
const PATIENCE_MS = 90_000

const artefacts = fileURLToPath(new URL('../../artefacts', import.meta.url))

const DESK = { width: 1280, height: 860 }
const PHONE = { width: 390, height: 844 }

const VIEWS = ['sessions', 'logouts', 'dead-letters', 'terminations', 'features'] as const

describe('the operators’ page in a browser', function () {
  this.timeout(300_000)
  let browser: Browser
  let folder: string
  let places: ExamplePlaces
  let example: ExampleProcess
  let password: string
  let operator: BrowserContext
  let page: Page
  let user: BrowserContext
  let complaints: string[]

  before(async function () {
    const path = findBrowser()
    if (path === undefined) {
      console.log('      The browser test did not run: no chromium on the PATH, and CHROMIUM is not set.')
      this.skip()
    }
    browser = await launchBrowser(path)
    await mkdir(artefacts, { recursive: true })
    folder = await mkdtemp(join(tmpdir(), 'eventstore-operators-'))
    places = await examplePlaces(folder)
    // Two attempts, so that an RP that plays dead makes a dead letter.
    example = await ExampleProcess.start({ ...places.environment, RETRY_DELAYS: '0.1' })
    password = /the password of this run: (\S+)/.exec(example.output)?.[1] ?? ''
    operator = await browser.newContext({ colorScheme: 'light', viewport: DESK })
    operator.setDefaultTimeout(PATIENCE_MS)
    page = await operator.newPage()
    complaints = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(`${page.url()}: ${message.text()}`)
    })
    page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`))
    user = await browser.newContext()
    user.setDefaultTimeout(PATIENCE_MS)
  })

  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      await page.screenshot({ path: join(artefacts, 'operators-failed.png'), fullPage: true })
  })

  after(async () => {
    await browser?.close()
    await example?.end()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  /** Logs somebody in at both RPs, in a browser of their own. Returns the pages of the RPs. */
  async function loggedIn(name: string): Promise<readonly [Page, Page]> {
    await user.clearCookies()
    const pages: Page[] = []
    for (const rp of [places.one, places.two]) {
      const page = await user.newPage()
      await page.goto(rp)
      await page.getByRole('link', { name: 'Log in', exact: true }).click()
      if (pages.length === 0) {
        await page.getByLabel('Somebody else').fill(name)
        await page.getByRole('button', { name: 'Log in' }).click()
      }
      await page.getByRole('button', { name: 'Continue' }).click()
      await page.getByRole('heading', { name: /^Hello/ }).waitFor()
      pages.push(page)
    }
    return pages as [Page, Page]
  }

  async function go(view: string): Promise<Locator> {
    await page.getByRole('navigation', { name: 'Operators' }).getByRole('link', { name: view, exact: true }).click()
    return page.getByRole('region', { name: view, exact: true })
  }

  /** In light and dark, at a desk and on a phone; and nobody is kept out. */
  async function seen(name: string): Promise<void> {
    for (const [look, colorScheme, viewport] of [
      ['light', 'light', DESK],
      ['dark', 'dark', DESK],
      ['phone', 'light', PHONE],
    ] as const) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize(viewport)
      const path = join(artefacts, `operators-${name}-${look}.png`)
      await page.screenshot({ path, animations: 'disabled', fullPage: look === 'phone' })
      assert.equal(await page.evaluate('document.documentElement.scrollWidth'), viewport.width, `${name} fits: ${look}`)
      const violations = await violationsOn(page, ['minor', 'moderate', 'serious', 'critical'])
      assert.deepEqual(violations, [], `${name} is accessible: ${look}`)
    }
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize(DESK)
  }

  async function confirm(button: string): Promise<void> {
    await page.getByRole('dialog').getByRole('button', { name: button }).click()
  }

  it('lets in who knows the password', async () => {
    await page.goto(places.op)
    await page.getByRole('link', { name: 'operators’ page' }).click()
    await page.getByLabel('Your name').fill('anna')
    await page.getByLabel('Password').fill('guess')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').waitFor()
    assert.deepEqual(complaints.splice(0).length, 1, 'the browser notes that it was refused')
    await seen('sign-in')
    await page.getByLabel('Your name').fill('anna')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('Signed in as anna').waitFor()
    await page.locator('html[data-connection=live]').waitFor()
    for (const view of ['Logouts', 'Dead letters', 'Terminations', 'Features']) await go(view)
  })

  it('ends one session, after saying what will end, and shows that the RPs confirmed', async () => {
    const [one, two] = await loggedIn('alice')
    const sessions = await go('Sessions')
    await sessions.getByLabel('Account').fill('alice')
    await sessions.getByRole('button', { name: 'Show its sessions' }).click()
    await sessions.getByText('1 live session of alice').waitFor()
    assert.deepEqual(await sessions.locator('.rps .rp').allTextContents(), ['rp-one', 'rp-two'])
    assert.equal(await sessions.getByText('is not told of logouts').count(), 0, 'both are')
    await seen('sessions')
    await sessions.getByRole('button', { name: 'End this session' }).click()
    await page
      .getByText('1 session will end, 2 grants will be revoked; RPs will be told that 2 logins ended.')
      .waitFor()
    await seen('dialog')
    await confirm('End it')
    await page
      .getByRole('status')
      .getByText('1 session ended, 2 grants revoked; RPs are being told that 2 logins ended: see Logouts.')
      .waitFor()
    await sessions.getByText('alice has no live session.').waitFor()
    for (const rp of [one, two]) await rp.getByText(/you were logged out by the OP/).waitFor()
    const logouts = await go('Logouts')
    const end = logouts.getByRole('listitem').filter({ hasText: 'An operator ended it' })
    await end.getByText('Everybody was told within').waitFor()
    assert.match(String(await end.locator('.hint').first().textContent()), /the whole session · by anna/)
    assert.deepEqual(await end.locator('.state').allTextContents(), ['confirmed', 'confirmed'])
    await seen('logouts')
  })

  it('ends all sessions of an account for a reason, while the page of logouts is open', async () => {
    const [, two] = await loggedIn('bob')
    await two.getByRole('button', { name: 'Play dead' }).click()
    await two.getByText('nobody answers').waitFor()
    const sessions = await go('Sessions')
    await sessions.getByLabel('Account').fill('bob')
    await sessions.getByRole('button', { name: 'Show its sessions' }).click()
    const other = await operator.newPage()
    await other.goto(`${places.op}/operators#logouts`)
    await other.locator('html[data-connection=live]').waitFor()
    await sessions.getByRole('button', { name: 'End all of bob' }).click()
    await page.getByText(/1 session will end, 2 grants/).waitFor()
    await page.getByLabel('Why').selectOption({ label: 'The account was disabled' })
    await page
      .getByRole('dialog')
      .getByText(/1 session will end, 2 grants/)
      .waitFor()
    await confirm('End them all')
    await page.getByRole('status').getByText('1 session ended').waitFor()
    const end = other.getByRole('listitem').filter({ hasText: 'The account was disabled' }).first()
    await end.getByText('all attempts failed').waitFor()
    assert.deepEqual(await end.locator('.state').allTextContents(), ['confirmed', 'abandoned'])
    await other.goto(places.op)
    await other.locator('article.receipt').getByText('2 attempts: all attempts failed').waitFor()
    await other.close()
    const terminations = await go('Terminations')
    const order = terminations.getByRole('listitem').filter({ hasText: 'All sessions of bob' })
    await order.getByText('completed').waitFor()
    assert.match(String(await order.textContent()), /The account was disabled · by anna/)
    await seen('terminations')
  })

  it('replays a dead letter once the RP is back', async () => {
    const letters = await go('Dead letters')
    const letter = letters.getByRole('listitem').filter({ hasText: 'rp-two' })
    await letter.getByText('2 attempts: all attempts failed').waitFor()
    await seen('dead-letters')
    const two = await user.newPage()
    await two.goto(places.two)
    await two.getByText('Hello, Bob').waitFor()
    await two.getByRole('button', { name: 'Bring it back' }).click()
    await letter.getByRole('button', { name: 'Replay' }).click()
    await page.getByText('1 dead letter will be sent again.').waitFor()
    await confirm('Replay')
    await page.getByRole('status').getByText('1 dead letter is being sent again').waitFor()
    await two.getByText(/you were logged out by the OP/).waitFor()
    await letters.getByText('None: every RP was told').waitFor()
    const logouts = await go('Logouts')
    const end = logouts.getByRole('listitem').filter({ hasText: 'The account was disabled' }).first()
    await end.getByText('since 1 replay').waitFor()
    assert.deepEqual(await end.locator('.state').allTextContents(), ['confirmed', 'confirmed'])
  })

  it('switches the gate, and discovery follows', async () => {
    const announced = async (): Promise<unknown> => {
      const response = await fetch(`${places.op}/oidc/.well-known/openid-configuration`)
      return ((await response.json()) as Record<string, unknown>)['backchannel_logout_supported']
    }
    const features = await go('Features')
    const gate = features.getByRole('region', { name: 'Back-channel logout' })
    assert.equal(await announced(), true)
    await gate.getByRole('button', { name: 'Switch off: Back-channel logout, for this issuer' }).click()
    await page.getByText('What is pending waits.').last().waitFor()
    await confirm('Switch off')
    await gate.getByText('set for this issuer').waitFor()
    await gate.getByText('by anna').waitFor()
    assert.equal(await announced(), undefined)
    await seen('features')
    await gate.getByRole('button', { name: 'Reset: Back-channel logout, for this issuer' }).click()
    await confirm('Reset')
    await gate.getByText('by the configuration').waitFor()
    assert.equal(await announced(), true)
  })

  it('can be used without a mouse', async () => {
    await loggedIn('carol')
    const sessions = await go('Sessions')
    await sessions.getByLabel('Account').fill('carol')
    await page.keyboard.press('Enter')
    await sessions.getByText('1 live session of carol').waitFor()
    const focused = (): Promise<unknown> => page.evaluate('document.activeElement.textContent')
    await sessions.getByLabel('Account').focus()
    for (const stop of ['Show its sessions', 'End all of carol', 'End this session']) {
      await page.keyboard.press('Tab')
      assert.equal(await focused(), stop)
    }
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    assert.equal(await focused(), 'Cancel')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    assert.equal(await focused(), 'End this session')
    // Faster than anybody: the browser tells that a question was closed when the next one is open already.
    await page.evaluate(`{
      const [dialog, end] = [document.getElementById('confirm'), document.activeElement]
      end.click()
      dialog.close()
      end.click()
    }`)
    await page.getByText('1 session will end').waitFor()
    await page.keyboard.press('Shift+Tab')
    assert.equal(await focused(), 'End it')
    await page.keyboard.press('Enter')
    await sessions.getByText('carol has no live session.').waitFor()
    assert.equal(await focused(), 'Sessions')
  })

  it('shows as text what RPs answer and what anything is called', async () => {
    const other = await operator.newPage()
    const said: string[] = []
    other.on('console', (message) => said.push(message.text()))
    other.on('pageerror', (error) => said.push(error.message))
    await other.route('**/operators/api/*', (route) => {
      const path = new URL(route.request().url()).pathname.split('/').at(-1) ?? ''
      return path === 'changes' ? route.continue() : route.fulfill({ json: hostile[path] })
    })
    await other.goto(`${places.op}/operators`)
    for (const view of VIEWS) {
      await other.evaluate(`location.hash = '#${view}'`)
      if (view === 'sessions') {
        await other.locator('#sessions-account').fill(HOSTILE)
        await other.locator('#sessions button.primary').click()
        await other.getByText('is not told of logouts').waitFor()
      }
      await other.locator(`#${view} .found`).getByText(HOSTILE).first().waitFor()
      assert.equal(await other.locator('main :is(img, script, iframe, svg)').count(), 0)
    }
    await other.evaluate(`location.hash = '#dead-letters'`)
    await other.getByRole('button', { name: 'Replay', exact: true }).click()
    await other.getByRole('dialog').getByText(HOSTILE).waitFor()
    assert.equal(await other.evaluate('window.ran'), undefined)
    assert.deepEqual(said, [])
    await other.close()
  })

  it('lets nobody in any more who has signed out', async () => {
    const other = await operator.newPage()
    await other.goto(`${places.op}/operators`)
    await other.getByText('Signed in as anna').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Operators' }).waitFor()
    await other.getByRole('link', { name: 'Features' }).click()
    await other.getByLabel('Password').waitFor()
    await other.close()
  })

  it('says nothing on the console', () => {
    assert.deepEqual(complaints, [])
  })
})

const HOSTILE = `<img src=x onerror="window.ran=1">'"><script>window.ran=1</script>\${window.ran=1}`

/** What the server would answer if everything in it were somebody's attempt. */
const hostile: Readonly<Record<string, object>> = {
  sessions: {
    sessions: [
      { uid: HOSTILE, accountId: HOSTILE, logins: [{ clientId: HOSTILE, sid: HOSTILE, hasBackchannelLogout: false }] },
    ],
    more: true,
  },
  logouts: {
    logouts: [
      {
        sessionUid: HOSTILE,
        settled: false,
        ends: [
          {
            reason: HOSTILE,
            at: 0,
            origin: HOSTILE,
            scope: 'session',
            initiatingClient: HOSTILE,
            actor: HOSTILE,
            relyingParties: [
              {
                clientId: HOSTILE,
                sid: HOSTILE,
                delivery: HOSTILE,
                state: HOSTILE,
                attempts: 1,
                failureReason: HOSTILE,
                status: HOSTILE,
              },
            ],
          },
        ],
      },
    ],
    more: true,
  },
  'dead-letters': {
    deadLetters: [
      {
        delivery: HOSTILE,
        sessionUid: HOSTILE,
        clientId: HOSTILE,
        sid: HOSTILE,
        reason: HOSTILE,
        endedAt: 0,
        at: 0,
        state: HOSTILE,
        failureReason: HOSTILE,
        attempts: 1,
        status: HOSTILE,
        error: HOSTILE,
        answer: HOSTILE,
        replays: 1,
      },
    ],
    more: true,
  },
  terminations: {
    terminations: [
      {
        id: HOSTILE,
        state: HOSTILE,
        of: 'account',
        accountId: HOSTILE,
        reason: HOSTILE,
        actor: HOSTILE,
        orderedAt: 0,
        sessions: 0,
        logins: 0,
        grants: 0,
        failed: 1,
      },
    ],
    more: true,
  },
  features: {
    features: [
      {
        feature: HOSTILE,
        enabled: true,
        from: 'system',
        configured: false,
        system: { enabled: true, actor: HOSTILE, at: 0 },
      },
    ],
  },
  replays: { replayed: 1 },
}
