import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import type { Role } from '../../plugins/admin-console/api/contract.ts'
import { BY_COLOURS, BY_SIZE, violationsOn } from './accessibility.ts'
import { fixtureData } from './admin-console-data.ts'
import { ConsoleScene, DESK, go, PHONE, settled } from './admin-console-scene.ts'
import type { FixtureServer } from './admin-console-server.ts'

/** Screens, what each shows of a busy OP, and of one at which nothing has happened. */
const SCREENS = [
  { name: 'overview', path: '/', full: 'legacy-portal fails again and again', empty: 'Nothing needs you.' },
  { name: 'clients', path: '/clients', full: 'team-010.apps.example', empty: 'No RP yet' },
  { name: 'client', path: '/clients/one?client=legacy-portal', full: '25,466', empty: 'Test token' },
  { name: 'sessions', path: '/sessions', full: 'mallory', empty: 'Nobody is logged in' },
  { name: 'logouts', path: '/logouts', full: 'Ended by an operator', empty: 'Nobody has logged out yet' },
  {
    name: 'logout',
    path: '/logouts/one?session=vK00001',
    full: 'Attempt 2 at legacy-portal failed',
    empty: 'Timeline',
  },
  { name: 'dead-letters', path: '/dead-letters', full: 'connect ECONNREFUSED', empty: 'There is no dead letter' },
  { name: 'pending', path: '/pending', full: 'being sent', empty: 'Nothing is pending' },
  { name: 'parked', path: '/parked', full: '81204', empty: 'None: every commit was planned' },
  { name: 'terminations', path: '/terminations', full: 'All sessions of dave', empty: 'Nobody has ordered one' },
  { name: 'features', path: '/features', full: 'deploy pipeline', empty: 'by the configuration' },
  { name: 'log', path: '/log', full: 'Session destroyed', empty: 'The log is empty' },
] as const

const ROLES: readonly Role[] = ['viewer', 'operator']

/** Rows of a page: what is checked is the same in each. */
const ROWS = 12

/** How a screen is looked at, and by which of axe's rules: by those that colours and sizes decide, once it has passed all. */
const LOOKS = [
  ['light', 'light', DESK, undefined],
  ['dark', 'dark', DESK, BY_COLOURS],
  ['phone', 'light', PHONE, BY_SIZE],
] as const

/**
 * In which looks a screen is looked at: what they decide is the same on most. `EVERY_LOOK=1` looks at all of them, for both
 * roles.
 */
function looksOf(role: Role, { name }: { readonly name: string }): readonly (typeof LOOKS)[number][] {
  if (process.env['EVERY_LOOK']) return LOOKS
  const decides = role === 'operator' && ['overview', 'client', 'logout', 'dead-letters'].includes(name)
  return decides ? LOOKS : LOOKS.slice(0, 1)
}

const artefacts = fileURLToPath(new URL('../../artefacts', import.meta.url))

describe('the screens of the admin console', () => {
  let scene: ConsoleScene

  before(async function () {
    const opened = await ConsoleScene.open()
    if (!opened) return this.skip()
    scene = opened
    await mkdir(artefacts, { recursive: true })
  })

  after(() => scene?.close())

  afterEach(() => {
    if (scene) assert.deepEqual(scene.complaints.splice(0), [], 'no error, and nothing that the policy forbids')
  })

  async function assertAccessible(page: Page, what: string, rules?: readonly string[]): Promise<void> {
    const found = await violationsOn(page, ['minor', 'moderate', 'serious', 'critical'], rules)
    assert.deepEqual(found, [], `${what} is accessible`)
  }

  for (const role of ROLES) {
    describe(`for a ${role}`, () => {
      let page: Page
      let unfollowed: Page
      let full: FixtureServer
      let empty: FixtureServer
      let failing: FixtureServer

      before(async () => {
        page = await scene.newPage()
        unfollowed = await scene.newPage()
        await unfollowed.route('**/api/live', (route) => route.abort()) // so that the button alone asks again
        full = await scene.serve(fixtureData(100_000), role)
        full.mostRows = ROWS
        empty = await scene.serve(fixtureData(0), role)
        failing = await scene.serve(fixtureData(100), role, 'failing')
      })

      for (const screen of SCREENS) {
        it(`shows ${screen.name} of a busy OP`, async () => {
          await go(page, full, screen.path)
          await page.locator('main').getByText(screen.full).first().waitFor()
          for (const [look, colorScheme, viewport, rules] of looksOf(role, screen)) {
            await page.emulateMedia({ colorScheme })
            await page.setViewportSize(viewport)
            await settled(page)
            const what = `${screen.name}-${role}-${look}`
            assert.equal(await page.evaluate('document.documentElement.scrollWidth'), viewport.width, `${what} fits`)
            await assertAccessible(page, what, role === 'viewer' ? ['button-name'] : rules)
            await page.screenshot({
              path: join(artefacts, `console-${what}.png`),
              animations: 'disabled',
              fullPage: screen.name === 'overview', // it is the picture in the documentation
            })
          }
          await page.emulateMedia({ colorScheme: 'light' })
          await page.setViewportSize(DESK)
        })

        if (role === 'viewer') continue // the same, but for what the buttons say

        it(`shows ${screen.name} of an OP at which nothing has happened`, async () => {
          await go(page, empty, screen.path)
          await page.locator('main').getByText(screen.empty).first().waitFor()
          await assertAccessible(page, `${screen.name} without anything`)
        })

        it(`says on ${screen.name} that the server could not answer, and tries again`, async () => {
          failing.mood = 'failing'
          await go(unfollowed, failing, screen.path)
          const alert = unfollowed.locator('main').getByRole('alert')
          await alert.getByText('The server could not answer').waitFor()
          await alert.getByText('The store does not answer: try again. (STORE_UNAVAILABLE)').waitFor()
          if (screen.path === '/') await assertAccessible(unfollowed, `${screen.name} that fails`)
          failing.mood = 'well'
          await alert.getByRole('button', { name: 'Try again' }).click()
          await alert.waitFor({ state: 'detached' })
        })
      }
    })
  }

  it('says on every screen that nobody is signed in any more', async () => {
    const page = await scene.newPage()
    const server = await scene.serve(fixtureData(100), 'operator', 'signedOut')
    for (const { path, name } of SCREENS) {
      await page.goto(server.url(path)) // since it is said once
      await settled(page)
      await page.getByText('You are signed out: what is shown is not up to date').waitFor()
      if (path === '/') await assertAccessible(page, `${name} without a sign-in`)
    }
  })

  it('is no wider for a plot that was drawn for a wider window', async () => {
    const page = await scene.newPage()
    await go(page, await scene.serve(fixtureData(100)), '/')
    await page.locator('.uplot canvas').waitFor()
    const width = await page.evaluate<number>(
      "document.querySelector('.uplot').style.width = '5000px', document.documentElement.scrollWidth",
    )
    assert.equal(width, DESK.width)
  })

  it('says on every screen that the server cannot be reached', async () => {
    const page = await scene.newPage()
    const server = await scene.serve(fixtureData(100))
    await page.route('**/api/**', (route) => route.abort('connectionrefused'))
    for (const { path } of SCREENS) {
      await go(page, server, path)
      await page.locator('main').getByText('The server cannot be reached').first().waitFor()
      await page.locator('[data-live=broken]').getByText('Not live').waitFor()
    }
    await assertAccessible(page, 'the console without a server')
  })

  it('keeps what it has shown when the server fails later, and says that it is not up to date', async () => {
    const page = await scene.newPage()
    const server = await scene.serve(fixtureData(100))
    await go(page, server, '/dead-letters')
    await page.locator('[data-live=live]').waitFor()
    server.mood = 'failing'
    server.tellChanges(['dead_letters'])
    await page.getByText('This is not up to date.').waitFor()
    assert.equal(await page.locator('tbody tr').count(), 100)
    server.mood = 'well'
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('This is not up to date.').waitFor({ state: 'detached' })
  })

  it('shows as text what RPs answer and what anything is called', async () => {
    const page = await scene.newPage()
    const server = await scene.serve(fixtureData(300, (usual) => `${HOSTILE} ${usual}`))
    for (const { path, name } of SCREENS) {
      await go(page, server, path)
      if (name !== 'parked' && name !== 'log') await page.locator('main').getByText(HOSTILE).first().waitFor()
      const openers = page.locator('[data-row][aria-expanded]')
      if ((await openers.count()) > 0) {
        await openers.first().click()
        await page.locator('.detail').waitFor()
      }
      assert.equal(
        await page.locator(':is(main, header, nav, dialog) :is(img, script, iframe, object)').count(),
        0,
        name,
      )
    }
    await go(page, server, '/dead-letters')
    await page.getByRole('button', { name: 'Send again' }).first().click()
    await page.getByRole('dialog').getByText(HOSTILE).waitFor()
    assert.equal(await page.evaluate('window.ran'), undefined)
  })
})

const HOSTILE = `<img src=x onerror="window.ran=1">'"><script>window.ran=1</script>\${window.ran=1}`
