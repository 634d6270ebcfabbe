import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { findBrowser, launchBrowser } from '../support/browser.ts'
import { type ExamplePlaces, ExampleProcess, examplePlaces } from '../support/example-process.ts'
import { BY_COLOURS, violationsOn } from './accessibility.ts'

/** How long anything on a page may take, in milliseconds. */
const PATIENCE_MS = 90_000

const artefacts = fileURLToPath(new URL('../../artefacts', import.meta.url))

describe('the example in a browser', () => {
  let browser: Browser
  let folder: string
  let places: ExamplePlaces
  let example: ExampleProcess

  before(async function () {
    const path = findBrowser()
    if (path === undefined) {
      console.log('      The browser test did not run: no chromium on the PATH, and CHROMIUM is not set.')
      this.skip()
    }
    browser = await launchBrowser(path)
    await mkdir(artefacts, { recursive: true })
    folder = await mkdtemp(join(tmpdir(), 'eventstore-example-'))
    places = await examplePlaces(folder)
    example = await ExampleProcess.start(places.environment)
  })

  after(async () => {
    await browser?.close()
    await example?.end()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    describe(`in ${colorScheme} colours`, () => {
      let context: BrowserContext
      let complaints: string[]
      let one: Page
      let two: Page
      let op: Page

      before(async () => {
        context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 860 } })
        context.setDefaultTimeout(PATIENCE_MS)
        complaints = []
        ;[op, one, two] = [await context.newPage(), await context.newPage(), await context.newPage()]
        for (const page of [op, one, two]) {
          page.on('console', (message) => {
            if (message.type() === 'error') complaints.push(`${page.url()}: ${message.text()}`)
          })
          page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`))
        }
      })

      after(() => context.close())

      const seen = async (page: Page, name: string): Promise<void> => {
        await page.screenshot({ path: join(artefacts, `example-${colorScheme}-${name}.png`), animations: 'disabled' })
        const rules = colorScheme === 'dark' ? BY_COLOURS : undefined // it has passed all in light colours
        assert.deepEqual(await violationsOn(page, ['serious', 'critical'], rules), [], `${name} is accessible`)
      }

      it('greets at the OP and at both RPs', async () => {
        await op.goto(places.op)
        await one.goto(places.one)
        await two.goto(places.two)
        await op.locator('html[data-connection=live]').waitFor()
        await seen(op, 'op-at-first')
        await one.getByRole('heading', { name: 'Welcome to RP one' }).waitFor()
        await seen(one, 'rp-at-first')
      })

      it('logs in at RP one', async () => {
        await one.getByRole('link', { name: 'Log in' }).click()
        await one.getByRole('heading', { name: 'Who are you?' }).waitFor()
        await seen(one, 'login')
        await one.getByRole('button', { name: 'Alice Adams' }).click()
        await one.getByRole('heading', { name: 'Continue to RP one?' }).waitFor()
        await seen(one, 'consent')
        await one.getByRole('button', { name: 'Continue' }).click()
        await one.getByRole('heading', { name: 'Hello, Alice Adams' }).waitFor()
        await seen(one, 'logged-in')
      })

      it('is logged in at RP two without being asked who it is', async () => {
        await two.getByRole('link', { name: 'Log in' }).click()
        await two.getByText('You are logged in as Alice Adams').waitFor()
        await two.getByRole('button', { name: 'Continue' }).click()
        await two.getByRole('heading', { name: 'Hello, Alice Adams' }).waitFor()
        await two.locator('html[data-connection=live]').waitFor()
      })

      it('shows the log as it grows, on the page that was open all the time', async () => {
        await op.getByText('registered').nth(1).waitFor()
        await op.locator('#you').getByText('Alice Adams').waitFor()
        await seen(op, 'op-logged-in')
      })

      it('is logged out at RP two when it logs out at RP one, without a reload', async () => {
        await one.getByRole('button', { name: 'Log out' }).click()
        await one.getByRole('heading', { name: 'Log out everywhere?' }).waitFor()
        await seen(one, 'logout')
        await one.getByRole('button', { name: 'Log out everywhere' }).click()
        await one.getByText('Alice Adams, you logged out here at').waitFor()
        await two.getByText(/you were logged out by the OP at .* \(back-channel\)/).waitFor()
        await seen(one, 'logged-out-here')
        await seen(two, 'logged-out-by-the-op')
      })

      it('shows the receipt at the OP: both RPs confirmed', async () => {
        const receipt = op.locator('article.receipt').first()
        await receipt.getByText('Everybody was told within').waitFor()
        assert.equal(await receipt.getByText('confirmed').count(), 2)
        await seen(op, 'op-receipt')
      })

      it('shows a dead RP as pending, and as confirmed once it is back', async () => {
        await two.getByRole('button', { name: 'Play dead' }).click()
        await two.getByText('nobody answers').waitFor()
        for (const rp of [one, two]) {
          await rp.getByRole('link', { name: 'Log in' }).click()
          const asked = rp.getByRole('button', { name: 'Bob Brown' })
          const known = rp.getByRole('heading', { name: /^Continue/ })
          await asked.or(known).first().waitFor()
          if (await asked.isVisible()) await asked.click()
          await rp.getByRole('button', { name: 'Continue' }).click()
          await rp.getByRole('heading', { name: 'Hello, Bob Brown' }).waitFor()
        }
        await seen(two, 'rp-plays-dead')
        await one.getByRole('button', { name: 'Log out' }).click()
        await one.getByRole('button', { name: 'Log out everywhere' }).click()
        await one.getByText('Bob Brown, you logged out here at').waitFor()
        const receipt = op.locator('article.receipt').first()
        await receipt.getByText(/\d attempts?, last:/).waitFor()
        await seen(op, 'op-pending')
        assert.ok(await two.getByRole('heading', { name: 'Hello, Bob Brown' }).isVisible())
        await two.getByRole('button', { name: 'Bring it back' }).click()
        await two.getByText('Bob Brown, you were logged out by the OP').waitFor()
        await receipt.getByText('Everybody was told within').waitFor()
        await seen(op, 'op-recovered')
      })

      it('logs out at an RP that the OP could not tell yet', async () => {
        await two.getByRole('button', { name: 'Play dead' }).click()
        await two.getByRole('link', { name: 'Log in' }).click()
        await two.getByRole('button', { name: 'Bob Brown' }).click()
        await two.getByRole('button', { name: 'Continue' }).click()
        await two.getByRole('heading', { name: 'Hello, Bob Brown' }).waitFor()
        await op.getByRole('link', { name: 'Log out' }).click()
        await op.getByRole('button', { name: 'Stay logged in' }).waitFor()
        await op.getByRole('button', { name: 'Log out everywhere' }).click()
        await op.getByRole('heading', { name: 'You are logged out' }).waitFor()
        await seen(op, 'op-logged-out')
        await op.getByRole('link', { name: 'Watch it happen' }).click()
        // The OP has no session left to ask about: oidc-provider's page submits itself.
        await two.getByRole('button', { name: 'Log out' }).click()
        await two.getByText('Bob Brown, you logged out here at').waitFor()
        await two.getByRole('button', { name: 'Bring it back' }).click()
        await op.locator('article.receipt').first().getByText('Everybody was told within').waitFor()
      })

      it('fits a phone', async () => {
        await op.setViewportSize({ width: 390, height: 844 })
        assert.equal(await op.evaluate('document.documentElement.scrollWidth'), 390)
        await seen(op, 'op-on-a-phone')
        await two.setViewportSize({ width: 390, height: 844 })
        assert.equal(await two.evaluate('document.documentElement.scrollWidth'), 390)
        await seen(two, 'rp-on-a-phone')
      })

      it('says nothing on the console', () => {
        assert.deepEqual(complaints, [])
      })
    })
  }

  it('does its main job without JavaScript', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false })
    context.setDefaultTimeout(PATIENCE_MS)
    const page = await context.newPage()
    await page.goto(places.one)
    await page.getByRole('link', { name: 'Log in' }).click()
    await page.getByLabel('Somebody else').fill('Carol')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('heading', { name: 'Hello, carol' }).waitFor()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('button', { name: 'Log out everywhere' }).click()
    await page.getByText('carol, you logged out here at').waitFor()
    await page.goto(places.op)
    await page.getByText('The user logged out at RP one').first().waitFor()
    await context.close()
  })
})
