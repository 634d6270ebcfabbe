import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Locator, Page } from 'playwright-core'
import { buildConsole } from '../../scripts/build-console.mjs'
import { type ExamplePlaces, ExampleProcess, examplePlaces } from '../support/example-process.ts'
import { violationsOn } from './accessibility.ts'
import { ConsoleScene } from './admin-console-scene.ts'

/** How long anything on a page may take, in milliseconds. */
const PATIENCE_MS = 90_000

describe('the admin console of the example in a browser', () => {
  let scene: ConsoleScene
  let folder: string
  let places: ExamplePlaces
  let example: ExampleProcess
  let password: string
  let page: Page
  let user: BrowserContext

  before(async function () {
    const opened = await ConsoleScene.open()
    if (!opened) return this.skip()
    scene = opened
    await buildConsole()
    folder = await mkdtemp(join(tmpdir(), 'eventstore-console-'))
    places = await examplePlaces(folder)
    // Two attempts, so that an RP that plays dead makes a dead letter.
    example = await ExampleProcess.start({ ...places.environment, RETRY_DELAYS: '0.1' })
    password = /the password of this run: (\S+)/.exec(example.output)?.[1] ?? ''
    page = await scene.newPage()
    user = await scene.browser.newContext()
    user.setDefaultTimeout(PATIENCE_MS)
  })

  after(async () => {
    await scene?.close()
    await example?.end()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  afterEach(() => {
    if (scene) assert.deepEqual(scene.complaints.splice(0), [], 'no error, and nothing that the policy forbids')
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

  async function signIn(page: Page, { looks }: { readonly looks: boolean }): Promise<void> {
    await page.goto(`${places.op}/operators`)
    await page.getByLabel('Your name').fill('anna')
    await page.getByLabel('Password').fill(password)
    if (looks) await page.getByLabel('I only want to look').check()
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.locator('[data-live=live]').waitFor()
  }

  async function go(screen: string): Promise<void> {
    await page.getByRole('navigation', { name: 'Screens' }).getByRole('link', { name: screen, exact: true }).click()
    await page.getByRole('heading', { name: screen, level: 1 }).waitFor()
    await page.locator('.state.loading').waitFor({ state: 'detached' })
  }

  const dialog = (): Locator => page.getByRole('dialog')

  it('lets in who knows the password, and leads through every screen of an OP at which nothing has happened', async () => {
    await signIn(page, { looks: false })
    await page.getByText('Nothing needs you.').waitFor()
    for (const screen of [
      'Relying parties',
      'Sessions',
      'Logouts',
      'Dead letters',
      'Pending',
      'Parked commits',
      'Terminations',
      'Features',
      'Log',
    ]) {
      await go(screen)
      assert.equal(await page.locator('main').getByRole('alert').count(), 0, screen)
      assert.deepEqual(await violationsOn(page, ['minor', 'moderate', 'serious', 'critical']), [], screen)
    }
  })

  it('ends one session, after saying what will end, and tells its timeline to the confirmations', async () => {
    const [one, two] = await loggedIn('alice')
    await go('Sessions')
    await page.getByRole('searchbox', { name: 'Account id' }).fill('alice')
    await page.getByRole('button', { name: 'Show' }).click()
    const row = page.getByRole('row').filter({ hasText: 'alice' })
    await row.getByText('rp-one').waitFor()
    await row.getByText('rp-two').waitFor()
    await row.getByRole('button', { name: 'Details of the session of alice' }).click()
    await page.locator('.detail').getByText('is told').first().waitFor()
    await row.getByRole('button', { name: 'End the session of alice' }).click()
    await dialog().getByText('1 session will end, and 2 grants will be revoked.').waitFor()
    await dialog().getByText('RPs will be told that 2 logins ended.').waitFor()
    await dialog().getByRole('button', { name: 'End it' }).click()
    await dialog().getByText('1 session ended, 2 grants revoked').waitFor()
    await dialog().getByRole('button', { name: 'Close' }).click()
    await page.getByText('alice has no live session').waitFor()
    for (const rp of [one, two]) await rp.getByText(/you were logged out by the OP/).waitFor()
    await go('Logouts')
    const logout = page.getByRole('row').filter({ hasText: 'Ended by an operator' })
    await logout.getByText('2 confirmed').waitFor()
    await logout.getByText('by anna').waitFor()
    await logout.getByRole('link').click()
    await page.getByText(/^everybody told within/).waitFor()
    await page.getByText('The session ended: Ended by an operator').waitFor()
    for (const rp of ['rp-one', 'rp-two']) await page.getByText(`${rp} confirmed`).waitFor()
    assert.deepEqual(await violationsOn(page, ['minor', 'moderate', 'serious', 'critical']), [])
  })

  it('sends a dead letter again once the RP is back', async () => {
    const [, two] = await loggedIn('bob')
    await two.getByRole('button', { name: 'Play dead' }).click()
    await two.getByText('nobody answers').waitFor()
    await go('Sessions')
    await page.getByRole('searchbox', { name: 'Account id' }).fill('bob')
    await page.getByRole('button', { name: 'Show' }).click()
    await page.getByRole('button', { name: 'End all of bob' }).click()
    await dialog().getByText('1 session will end').waitFor()
    await dialog().getByRole('combobox').selectOption({ label: 'Account disabled' })
    await dialog().getByText('1 session will end').waitFor()
    await dialog().getByRole('button', { name: 'End them all' }).click()
    await dialog().getByText('1 session ended').waitFor()
    await dialog().getByRole('button', { name: 'Close' }).click()
    await go('Dead letters')
    const letter = page.getByRole('row').filter({ hasText: 'rp-two' })
    await letter.getByText('All attempts failed · 2 attempts').waitFor()
    await two.getByRole('button', { name: 'Bring it back' }).click()
    await letter.getByRole('button', { name: 'Send again to rp-two' }).click()
    await dialog().getByText('1 dead letter will be sent again.').waitFor()
    await dialog().getByRole('button', { name: 'Send again' }).click()
    await dialog().getByText('1 dead letter is being sent again').waitFor()
    await dialog().getByRole('button', { name: 'Close' }).click()
    await two.getByText(/you were logged out by the OP/).waitFor()
    await page.getByText('There is no dead letter').waitFor()
    await go('Terminations')
    await page.getByRole('row').filter({ hasText: 'All sessions of bob' }).getByText('completed').waitFor()
  })

  it('tests an RP, pauses and resumes it', async () => {
    await go('Relying parties')
    await page.getByRole('link', { name: 'rp-one' }).click()
    await page.getByRole('button', { name: 'Send a test token' }).click()
    await page.getByRole('region', { name: 'Test token' }).getByText('Status').waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await dialog().getByRole('button', { name: 'Pause it' }).click()
    await page.locator('.standing').getByText('by anna').waitFor()
    await page.getByRole('button', { name: 'Resume' }).click()
    await dialog().getByRole('button', { name: 'Resume it' }).click()
    await page.getByRole('button', { name: 'Pause' }).waitFor()
  })

  it('switches the feature, and discovery follows', async () => {
    const announced = async (): Promise<unknown> => {
      const response = await fetch(`${places.op}/oidc/.well-known/openid-configuration`)
      return ((await response.json()) as Record<string, unknown>)['backchannel_logout_supported']
    }
    await go('Features')
    const feature = page.getByRole('region', { name: 'Back-channel logout' })
    await feature.getByRole('button', { name: 'Switch off: Back-channel logout, for this issuer' }).click()
    await dialog().getByText('What is pending waits.').waitFor()
    await dialog().getByRole('button', { name: 'Switch off' }).click()
    await feature.getByText('by anna').waitFor()
    assert.equal(await announced(), undefined)
    await feature.getByRole('button', { name: 'Reset: Back-channel logout, for this issuer' }).click()
    await dialog().getByRole('button', { name: 'Reset' }).click()
    await feature.getByText('by the configuration').waitFor()
    assert.equal(await announced(), true)
  })

  it('shows the log, explains what nobody knows, and refuses what a viewer asks for', async () => {
    await go('Log')
    await page.locator('main').getByText('feature.reset').first().waitFor()
    await page.getByLabel('What became of this token').fill('nobody-knows-this-token-0123456789abcdef0123')
    await page.getByRole('button', { name: 'Explain' }).click()
    await page.getByText('never stored', { exact: true }).waitFor()
    const viewer = await scene.newPage()
    await signIn(viewer, { looks: true })
    await viewer.goto(`${places.op}/operators/sessions`)
    const end = viewer.getByRole('button', { name: 'End every session' })
    await end.waitFor()
    assert.equal(await end.getAttribute('aria-disabled'), 'true')
  })
})
