import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { findBrowser, launchBrowser } from '../support/browser.ts'
import { type ExamplePlaces, ExampleProcess, examplePlaces } from '../support/example-process.ts'
import { BY_COLOURS, BY_SIZE, violationsOn } from './accessibility.ts'

/** How long anything on a page may take, in milliseconds. */
const PATIENCE_MS = 25_000

const artefacts = fileURLToPath(new URL('../../artefacts', import.meta.url))

const DESK = { width: 1280, height: 900 }
const PHONE = { width: 390, height: 844 }

describe('the page of devices and apps in a browser', () => {
  let browser: Browser
  let folder: string
  let places: ExamplePlaces
  let example: ExampleProcess
  let laptop: BrowserContext
  let page: Page
  let complaints: string[]

  before(async function () {
    const path = findBrowser()
    if (path === undefined) {
      console.log('      The browser test did not run: no chromium on the PATH, and CHROMIUM is not set.')
      this.skip()
    }
    browser = await launchBrowser(path)
    await mkdir(artefacts, { recursive: true })
    folder = await mkdtemp(join(tmpdir(), 'eventstore-devices-'))
    places = await examplePlaces(folder)
    example = await ExampleProcess.start({ ...places.environment, RETRY_DELAYS: '600' })
    laptop = await contextOf()
    page = await laptop.newPage()
    complaints = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(`${page.url()}: ${message.text()}`)
    })
    page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`))
  })

  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      await page.screenshot({ path: join(artefacts, 'devices-failed.png'), fullPage: true })
  })

  after(async () => {
    await browser?.close()
    await example?.end()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  async function contextOf(options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> {
    const context = await browser.newContext({ colorScheme: 'light', viewport: DESK, ...options })
    context.setDefaultTimeout(PATIENCE_MS)
    return context
  }

  /** Logs alice in at an RP. Returns its page. */
  async function loggedIn(context: BrowserContext, rp: string): Promise<Page> {
    const at = await context.newPage()
    await at.goto(rp)
    await at.getByRole('link', { name: 'Log in', exact: true }).click()
    const alice = at.getByRole('button', { name: 'Alice Adams' })
    const asked = at.getByRole('button', { name: 'Continue' })
    await alice.or(asked).waitFor()
    if (await alice.isVisible()) await alice.click()
    await asked.click()
    await at.getByRole('heading', { name: /^Hello/ }).waitFor()
    return at
  }

  async function androidPhone(): Promise<BrowserContext> {
    const userAgent = 'Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0'
    return contextOf({ userAgent, viewport: PHONE })
  }

  /** In light and dark, at a desk and on a phone; and nobody is kept out. */
  async function seen(name: string): Promise<void> {
    for (const [look, colorScheme, viewport, rules] of [
      ['light', 'light', DESK, undefined],
      ['dark', 'dark', DESK, BY_COLOURS],
      ['phone', 'light', PHONE, BY_SIZE],
    ] as const) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize(viewport)
      await page.screenshot({
        path: join(artefacts, `devices-${name}-${look}.png`),
        animations: 'disabled',
        fullPage: true,
      })
      assert.equal(await page.evaluate('document.documentElement.scrollWidth'), viewport.width, `${name} fits: ${look}`)
      const violations = await violationsOn(page, ['minor', 'moderate', 'serious', 'critical'], rules)
      assert.deepEqual(violations, [], `${name} is accessible: ${look}`)
    }
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize(DESK)
  }

  it('is reached through the OP’s own login, by somebody who is signed in nowhere', async () => {
    await page.goto(`${places.op}/account/sessions/`)
    await page.getByText('The OP wants to know').waitFor()
    await page.getByRole('button', { name: 'Alice Adams' }).click()
    await page.getByRole('heading', { name: 'Your devices and apps' }).waitFor()
    assert.ok(page.url().startsWith(`${places.op}/account/sessions/`))
    await page.getByText('No app has access to your account.').waitFor()
    await page.goto(places.op)
    await page.getByRole('link', { name: 'Your devices and apps' }).click()
    assert.deepEqual(await page.locator('.as-card h3').allTextContents(), ['Chrome on Linux This device'])
  })

  it('shows where one is signed in, and which apps have access', async () => {
    await loggedIn(laptop, places.one)
    const phone = await androidPhone()
    await loggedIn(phone, places.one)
    await loggedIn(phone, places.two)
    await page.reload()
    assert.deepEqual(await page.locator('.as-card h3').allTextContents(), [
      'Chrome on Linux This device',
      'Firefox on Android',
      'RP two',
      'RP one',
    ])
    await page.getByText('See your name and your profile').first().waitFor()
    await page.getByText('127.0.0.1').first().waitFor()
    assert.doesNotMatch(String(await page.locator('time').first().textContent()), /UTC/, 'in the user’s own zone')
    await seen('page')
  })

  it('ends a session, and tells as it goes on which app is still being told', async () => {
    const two = await laptop.newPage()
    await two.goto(places.two)
    await two.getByRole('button', { name: 'Play dead' }).click()
    await two.getByText('nobody answers').waitFor()
    await page.getByRole('button', { name: 'Sign out: Firefox on Android' }).click()
    const notice = page.getByRole('status')
    await notice.getByText('Told: RP one.').waitFor()
    await notice.getByText('Still telling: RP two.').waitFor()
    await seen('telling')
    await two.getByRole('button', { name: 'Bring it back' }).click()
    await page.goto(page.url()) // what it says stays, however often it is loaded
    await notice.getByText('Still telling: RP two.').waitFor()
    assert.equal(await page.getByText('Firefox on Android').count(), 0)
    await two.close()
  })

  it('signs out all others, and revokes an app, by the keyboard alone', async () => {
    const phone = await androidPhone()
    const one = await loggedIn(phone, places.one)
    await page.goto(`${places.op}/account/sessions/`)
    await page.getByRole('button', { name: 'Sign out all others' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('status').getByText('Told: RP one.').waitFor()
    await one.getByText(/you were logged out by the OP/).waitFor()
    await loggedIn(await androidPhone(), places.one)
    await page.goto(`${places.op}/account/sessions/`)
    await page.getByRole('button', { name: 'Remove access: RP one' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('status').getByText('Told: RP one.').waitFor()
    await page.getByText('No app has access to your account.').waitFor()
    await seen('revoked')
  })

  it('works without JavaScript', async () => {
    const context = await contextOf({ javaScriptEnabled: false })
    const plain = await context.newPage()
    await plain.goto(`${places.op}/account/sessions/`)
    await plain.getByRole('button', { name: 'Alice Adams' }).click()
    await plain.getByRole('heading', { name: 'Your devices and apps' }).waitFor()
    assert.match(String(await plain.locator('time').first().textContent()), /UTC$/)
    await plain.getByRole('button', { name: 'Sign out all others' }).click()
    await plain.getByRole('status').getByText('Done').waitFor()
    assert.equal(await plain.locator('.as-card').count(), 1)
    await page.goto(`${places.op}/account/sessions/`)
    await page.getByRole('heading', { name: 'Who are you?' }).waitFor()
  })

  it('had nothing to complain about in the browser’s console', () => {
    assert.deepEqual(complaints, [])
  })
})
