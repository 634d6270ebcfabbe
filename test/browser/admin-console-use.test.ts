import assert from 'node:assert/strict'
import type { LiveSession } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Locator, Page } from 'playwright-core'
import { violationsOn } from './accessibility.ts'
import { type FixtureData, fixtureData } from './admin-console-data.ts'
import { ConsoleScene, PHONE, settled } from './admin-console-scene.ts'
import type { FixtureServer } from './admin-console-server.ts'

/** So many rows are on a page of a list. */
const ROWS = 100

describe('the admin console in an operator’s hand', () => {
  let scene: ConsoleScene
  let server: FixtureServer
  let page: Page

  before(async function () {
    const opened = await ConsoleScene.open()
    if (!opened) return this.skip()
    scene = opened
  })

  beforeEach(async () => {
    server = await scene.serve(fixtureData(100_000))
    page = await scene.newPage()
  })

  afterEach(async () => {
    await page?.context().close()
    if (scene) assert.deepEqual(scene.complaints.splice(0), [], 'no error, and nothing that the policy forbids')
  })

  after(() => scene?.close())

  async function go(path: string): Promise<void> {
    await page.goto(server.url(path))
    await settled(page)
    await page.locator('[data-live=live]').waitFor()
  }

  const here = (): string => page.url().slice(server.url('').length)

  const dialog = (): Locator => page.getByRole('dialog')

  const focused = (): Promise<unknown> =>
    page.evaluate('document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent')

  describe('lists', () => {
    it('goes through 100,000 sessions page by page, with as many rows as a page has', async () => {
      await go('/sessions')
      const pages = page.getByRole('navigation', { name: 'Pages of Sessions' })
      for (const number of [2, 3, 4]) {
        await pages.getByRole('link', { name: 'Next page' }).click()
        await pages.getByText(`Page ${number}`).waitFor()
        await page.getByText(`user-000${number - 1}00`, { exact: true }).waitFor()
        assert.equal(await page.locator('tbody tr').count(), ROWS)
      }
      assert.match(here(), /^\/sessions\?cursor=300$/)
      await page.reload()
      await page.getByText('user-000300', { exact: true }).waitFor()
      await pages.getByText('Page 4').waitFor()
      await page.goBack()
      await page.getByText('user-000200', { exact: true }).waitFor()
      await pages.getByRole('link', { name: 'Previous page' }).click()
      await page.getByText('user-000100', { exact: true }).waitFor()
      await pages.getByRole('link', { name: 'First page' }).click()
      await page.getByText('alice', { exact: true }).waitFor()
      assert.equal(here(), '/sessions')
      const lists = server.asked.filter((one) => one.startsWith('GET /sessions'))
      assert.ok(lists.length <= 20, `${lists.length} requests for nine pages`)
      assert.ok(lists.every((one) => one.includes(`limit=${ROWS}`)))
    })

    it('keeps filters and the row that is open in the URL, and follows the back button', async () => {
      await go('/dead-letters')
      await page.getByRole('searchbox', { name: 'Client id' }).fill('billing')
      await page.getByText('legacy-portal').first().waitFor({ state: 'detached' })
      await page.getByRole('combobox', { name: 'Why' }).selectOption({ label: 'The RP refuses it' })
      await page.waitForURL(/client=billing&failureReason=refused/)
      await page.getByRole('button', { name: 'Details of' }).first().click()
      await page.locator('.detail').getByText('Timeline of this logout').waitFor()
      assert.match(here(), /open=/)
      await page.reload()
      await page.locator('.detail').getByText('Timeline of this logout').waitFor()
      assert.equal(await page.getByRole('searchbox', { name: 'Client id' }).inputValue(), 'billing')
      await page.goBack()
      await page.waitForURL((url) => !url.search.includes('failureReason'))
      await page.goBack()
      await page.waitForURL((url) => url.search === '')
      // The URL changes before the page is drawn anew.
      await page.locator('input[placeholder="A whole id"]:placeholder-shown').waitFor()
      await page.getByText('legacy-portal').first().waitFor()
    })

    it('looks further by itself where a page has nothing that the filter wants', async () => {
      server.data = { ...server.data, pending: onlyLast(server.data.pending) }
      await go('/pending?client=rare')
      await page.getByText('rare', { exact: true }).waitFor()
      const asked = server.asked.filter((one) => one.startsWith('GET /pending'))
      assert.equal(asked.length, 4, 'pages of 2,000 that were looked at')
    })

    it('says of each RP since when it waits longest, and leads to that logout', async () => {
      await go('/clients')
      const row = (client: string): Locator =>
        page.getByRole('row').filter({ has: page.getByRole('link', { name: client }) })
      await row('legacy-portal').getByText('5 h ago').waitFor()
      await row('billing').getByText('52 min ago').waitFor()
      await row('mail').getByText('–', { exact: true }).waitFor()
      await page.getByRole('link', { name: 'legacy-portal' }).click()
      const tile = page.locator('.tile').filter({ has: page.getByRole('link', { name: 'Oldest pending' }) })
      await tile.getByText('5 h ago').waitFor()
      const to = await tile.getByRole('link').getAttribute('href')
      assert.match(String(to), /\/logouts\/one\?session=/)
    })

    it('does not move a row that is in the operator’s hand', async () => {
      server.data = withNew(fixtureData(50), 0)
      await go('/sessions')
      await page.getByText('bob', { exact: true }).hover()
      server.data = withNew(server.data, 2)
      server.tellChanges(['sessions'])
      const before = await page.getByText('bob', { exact: true }).boundingBox()
      await page.getByRole('button', { name: 'Show 2 new rows' }).waitFor()
      assert.deepEqual(await firstNames(), ['alice', 'bob', 'carol'])
      assert.deepEqual(await page.getByText('bob', { exact: true }).boundingBox(), before)
      assert.deepEqual(await violationsOn(page, ['minor', 'moderate', 'serious', 'critical']), [])
      await page.getByRole('button', { name: 'Show 2 new rows' }).click()
      await page.getByText('new-0', { exact: true }).waitFor()
      assert.deepEqual(await firstNames(), ['new-0', 'new-1', 'alice'])
    })

    it('marks a row that has gone while it is in the hand, and shows the newest rows when it is not', async () => {
      server.data = withNew(fixtureData(50), 0)
      await go('/sessions')
      await page.getByText('bob', { exact: true }).hover()
      server.data = { ...server.data, sessions: without(server.data.sessions, 0) }
      server.tellChanges(['sessions'])
      await page.locator('tr.gone').getByText('alice', { exact: true }).waitFor()
      await page.getByRole('heading', { name: 'Sessions' }).hover()
      await page.getByText('alice', { exact: true }).waitFor({ state: 'detached' })
      assert.deepEqual(await firstNames(), ['bob', 'carol', 'dave'])
    })

    async function firstNames(): Promise<string[]> {
      return (await page.locator('tbody tr td[data-head=Account]').allTextContents()).slice(0, 3)
    }
  })

  describe('the keyboard', () => {
    it('reaches the search, the screens and the list of shortcuts', async () => {
      await go('/')
      await page.keyboard.press('g')
      await page.keyboard.press('d')
      await page.getByRole('heading', { name: 'Dead letters', level: 1 }).waitFor()
      assert.equal(await focused(), 'Dead letters', 'a screen reader reads where it is')
      await settled(page)
      await page.keyboard.press('/')
      await page.locator('input[data-search]:focus').waitFor()
      await page.keyboard.type('g?', { delay: 10 })
      assert.equal(await page.getByRole('searchbox', { name: 'Search' }).inputValue(), 'g?', 'it is text there')
      await page.getByRole('heading', { level: 1 }).focus()
      await page.keyboard.press('?')
      await dialog().getByText('Keyboard shortcuts').waitFor()
      assert.deepEqual(await violationsOn(page, ['minor', 'moderate', 'serious', 'critical']), [])
      await page.keyboard.press('Escape')
      await dialog().waitFor({ state: 'hidden' })
    })

    it('goes from row to row, opens one, and comes back from a dialog to where it was', async () => {
      await go('/sessions')
      await page.getByRole('button', { name: /^Details of the session of alice/ }).focus()
      await page.keyboard.press('ArrowDown')
      assert.match(String(await focused()), /^Details of the session of bob/)
      await page.keyboard.press('Enter')
      await page.locator('.detail').waitFor()
      await page.keyboard.press('End')
      assert.match(String(await focused()), /^Details of the session of user-000099/)
      await page.keyboard.press('Home')
      await page.keyboard.press('ArrowUp')
      assert.match(String(await focused()), /^Details of the session of alice/)
      for (let stop = 0; stop < 3; stop += 1) await page.keyboard.press('Tab')
      assert.match(String(await focused()), /^End the session of alice/)
      await page.keyboard.press('Enter')
      await dialog().getByText('1 session will end').waitFor()
      assert.equal(await focused(), 'Cancel', 'Enter, twice, ends nothing')
      await page.keyboard.press('Escape')
      await dialog().waitFor({ state: 'hidden' })
      assert.match(String(await focused()), /^End the session of alice/)
      assert.deepEqual(
        server.changes.map(({ body }) => body['dryRun']),
        [true],
      )
    })

    it('skips the navigation', async () => {
      await go('/')
      await page.keyboard.press('Tab')
      assert.equal(await focused(), 'Skip to the content')
      await page.keyboard.press('Enter')
      assert.equal(await page.evaluate('document.activeElement.id'), 'main')
      assert.equal(here(), '/#main')
    })
  })

  describe('actions', () => {
    it('ends sessions that are checked: first the plan, then the progress, then what it came to', async () => {
      await go('/sessions')
      for (const name of ['alice', 'carol'])
        await page.getByRole('checkbox', { name: `the session of ${name}` }).check()
      await page.getByRole('button', { name: 'End 2 sessions' }).click()
      await dialog().getByText('2 sessions will end, and 4 grants will be revoked.').waitFor()
      await dialog().getByText('RPs will be told that 4 logins ended.').waitFor()
      assert.deepEqual(await violationsOn(page, ['minor', 'moderate', 'serious', 'critical']), [])
      server.isStalled = true
      await dialog().getByRole('button', { name: 'End them' }).click()
      await dialog().getByRole('progressbar').waitFor()
      await dialog().getByText('0 of 2 done').waitFor()
      assert.deepEqual(await violationsOn(page, ['minor', 'moderate', 'serious', 'critical']), [])
      server.isStalled = false
      await dialog().getByText('2 sessions ended, 4 grants revoked; RPs are being told that 4 logins ended.').waitFor()
      await dialog().getByRole('button', { name: 'Close' }).click()
      await page.getByText('2 sessions selected').waitFor({ state: 'detached' })
      const sessions = [server.data.sessions.row(0).uid, server.data.sessions.row(2).uid]
      assert.deepEqual(
        server.changes.map(({ body }) => body),
        [{ target: { sessions }, dryRun: true }, { target: { sessions } }],
      )
    })

    it('asks for a reason where there is a choice, and counts anew for it', async () => {
      await go('/sessions?account=alice')
      await page.getByRole('button', { name: 'End all of alice' }).click()
      await dialog().getByText('400 sessions will end').waitFor()
      await dialog().getByRole('combobox').selectOption({ label: 'Account disabled' })
      await dialog().getByText('400 sessions will end').waitFor()
      await dialog().getByRole('button', { name: 'End them all' }).click()
      await dialog().getByText('400 sessions ended').waitFor()
      const target = { account: 'alice' }
      assert.deepEqual(
        server.changes.map(({ body }) => body),
        [
          { target, reason: 'admin', dryRun: true },
          { target, reason: 'account_disabled', dryRun: true },
          { target, reason: 'account_disabled' },
        ],
      )
    })

    it('says of the logins at an RP that they end, and of their sessions nothing', async () => {
      await go('/clients/one?client=legacy-portal')
      await page.getByRole('button', { name: 'End all logins here' }).click()
      await dialog().getByText('800 logins will end, and 800 grants will be revoked.').waitFor()
      await dialog().getByRole('button', { name: 'End them all' }).click()
      await dialog().getByText('800 logins ended, 800 grants revoked').waitFor()
    })

    it('names what terminations were of: an account, its logins at one RP, all its sessions but one', async () => {
      await go('/terminations')
      await page
        .getByText(/^All sessions of \w+$/)
        .first()
        .waitFor()
      const atOne = page
        .getByRole('row')
        .filter({ hasText: /Logins of \w+ at / })
        .first()
      await atOne.getByText(/^\d+ logins?$/).waitFor()
      await atOne.getByText(/^of \d+ sessions?, /).waitFor()
      await page.getByText(/^All sessions of \w+ but one$/).waitFor()
    })

    it('ends every session only for somebody who types that', async () => {
      await go('/sessions')
      await page.getByRole('button', { name: 'End every session' }).click()
      await dialog().getByText('400 sessions will end').waitFor()
      const confirm = dialog().getByRole('button', { name: 'End every session' })
      assert.equal(await confirm.isDisabled(), true)
      await dialog().getByRole('textbox').fill('end every')
      assert.equal(await confirm.isDisabled(), true)
      await dialog().getByRole('textbox').fill('end every session')
      await confirm.click()
      await dialog().getByText('400 sessions ended').waitFor()
    })

    it('cancels what runs, and says what was done until then', async () => {
      await go('/dead-letters?client=billing')
      await page.getByRole('button', { name: 'Send all of the filter again' }).click()
      await dialog().getByText('400 dead letters will be sent again.').waitFor()
      server.isStalled = true
      await dialog().getByRole('button', { name: 'Send again' }).click()
      await dialog().getByText('0 of 400 done').waitFor()
      await dialog().getByRole('button', { name: 'Cancel it' }).click()
      await dialog().getByText('Cancelled: 0 were done until then, and stay so.').waitFor()
      assert.deepEqual(server.changes.at(0)?.body, { target: { matching: { client: 'billing' } }, dryRun: true })
    })

    it('tries an RP now, tells how far it is, and stops', async () => {
      server.isStalled = true
      await go('/clients/one?client=legacy-portal')
      await page.getByRole('button', { name: 'Try now' }).click()
      await dialog().getByRole('button', { name: 'Try now' }).click()
      await dialog().getByRole('progressbar', { name: 'Trying an RP now' }).waitFor()
      await dialog().getByText('0 of 400 done').waitFor()
      await dialog().getByRole('button', { name: 'Cancel it' }).click()
      await dialog().getByText('Cancelled: 0 were done until then, and stay so.').waitFor()
      assert.deepEqual(server.changes.at(0), {
        method: 'POST',
        path: '/operations/retry-client',
        body: { client: 'legacy-portal' },
      })
    })

    it('leaves it running, and shows on every screen that it runs', async () => {
      server.isStalled = true
      await go('/parked')
      await page.getByRole('button', { name: 'Plan all again' }).click()
      await dialog().getByRole('button', { name: 'Plan again' }).click()
      await dialog().getByRole('button', { name: 'Leave it running' }).click()
      await page.getByRole('link', { name: '1 operation running' }).click()
      const running = page.getByRole('region', { name: 'Running now' })
      await running.getByText('Planning parked commits').waitFor()
      await running.getByRole('button', { name: 'Cancel: Planning parked commits' }).click()
      await running.waitFor({ state: 'detached' })
    })

    it('offers to wait no longer for what is ordered', async () => {
      server.isStalled = true
      server.isOrdered = true
      await go('/parked')
      await page.getByRole('button', { name: 'Plan all again' }).click()
      await dialog().getByRole('button', { name: 'Plan again' }).click()
      await dialog().getByRole('button', { name: 'Leave it running' }).click()
      await go('/terminations')
      const running = page.getByRole('region', { name: 'Running now' })
      await running.getByRole('button', { name: 'Wait no longer: Planning parked commits' }).click()
      await running.waitFor({ state: 'detached' })
    })

    it('tells the server’s message beside the field of a client', async () => {
      await go('/clients/one?client=shop')
      await page.getByRole('button', { name: 'Edit' }).click()
      const uri = page.getByRole('textbox', { name: 'backchannel_logout_uri' })
      await uri.fill('http://shop.example.com/logout')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByRole('alert').getByText('must be an https URI').waitFor()
      assert.equal(await uri.getAttribute('aria-invalid'), 'true')
      const described = await uri.getAttribute('aria-describedby')
      assert.match(String(await page.locator(`[id="${described}"]`).textContent()), /must be an https URI/)
      assert.deepEqual(await violationsOn(page, ['minor', 'moderate', 'serious', 'critical']), [])
      await uri.fill('https://shop.example.com/logout')
      await page.getByRole('combobox', { name: 'backchannel_logout_session_required' }).selectOption('')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByRole('status').getByText('shop is changed.').waitFor()
      assert.deepEqual(server.changes.at(-1)?.body, {
        client: 'shop',
        version: 'v1',
        changes: {
          backchannel_logout_uri: 'https://shop.example.com/logout',
          backchannel_logout_session_required: null,
        },
      })
    })

    it('sends a test token, and shows what the RP says', async () => {
      await go('/clients/one?client=shop')
      await page.getByRole('button', { name: 'Send a test token' }).click()
      const answer = page.getByRole('region', { name: 'Test token' })
      await answer.getByText('refuses', { exact: true }).waitFor()
      await answer.getByText('{"error":"unknown session"}').waitFor()
    })

    it('pauses, resumes and hastens an RP, and switches a feature', async () => {
      await go('/clients/one?client=legacy-portal')
      await page.getByRole('button', { name: 'Pause' }).click()
      await dialog().getByRole('button', { name: 'Pause it' }).click()
      await page.getByRole('status').getByText('legacy-portal is paused.').waitFor()
      await page.getByRole('button', { name: 'Try now' }).click()
      await dialog().getByRole('button', { name: 'Try now' }).click()
      await dialog().getByText('400 deliveries to legacy-portal due now.').waitFor()
      await dialog().getByRole('button', { name: 'Close' }).click()
      await go('/clients/one?client=billing')
      await page.getByRole('button', { name: 'Resume' }).click()
      await dialog().getByRole('button', { name: 'Resume it' }).click()
      await page.getByRole('status').getByText('billing is resumed.').waitFor()
      await go('/features')
      await page.getByRole('button', { name: 'Reset: Back-channel logout, for all issuers of the log' }).click()
      await dialog().getByRole('button', { name: 'Reset' }).click()
      await page.getByRole('status').getByText('is reset').waitFor()
      assert.deepEqual(
        server.changes.map(({ method, path }) => `${method} ${path}`),
        ['POST /clients/pause', 'POST /operations/retry-client', 'POST /clients/resume', 'DELETE /features'],
      )
    })

    it('shows a viewer every action with the reason why not, and asks the server for none', async () => {
      server = await scene.serve(fixtureData(300), 'viewer')
      for (const path of [
        '/sessions',
        '/dead-letters',
        '/parked',
        '/features',
        '/clients/one?client=shop',
        '/pending',
      ]) {
        await go(path)
        const refused = page.locator('main button[aria-disabled=true]')
        assert.ok((await refused.count()) > 0, path)
        const first = refused.first()
        await first.focus()
        const reason = await first.getAttribute('aria-describedby')
        const text = await page.locator(`[id="${reason}"]`).textContent()
        assert.equal(text, 'You are signed in as a viewer: operators can do this.')
        await first.click({ force: true })
        await page.keyboard.press('Enter')
      }
      assert.deepEqual(server.changes, [])
    })
  })

  describe('explain', () => {
    it('puts what is asked for into no URL, and forgets it', async () => {
      await go('/log')
      const secret = 'refresh-token-of-alice-4711'
      await page.getByLabel('What became of this token').fill(secret)
      await page.getByRole('button', { name: 'Explain' }).click()
      await page.getByText('Its grant was revoked when the session ended.').waitFor()
      assert.equal(await page.getByLabel('What became of this token').inputValue(), '')
      assert.deepEqual(server.changes.at(-1)?.body, { thing: secret })
      assert.equal([page.url(), ...server.asked].join(' ').includes(secret), false)
      assert.equal(
        String(await page.evaluate('JSON.stringify({ ...localStorage, ...sessionStorage })')).includes(secret),
        false,
      )
    })
  })

  describe('the stream of changes', () => {
    it('brings what is shown up to date', async () => {
      await go('/')
      server.data = fixtureData(0)
      server.tellChanges(['logouts'])
      await page.getByText('Nothing needs you.').waitFor()
    })

    it('says since when it is not live, connects again with pauses, and asks for everything anew', async () => {
      await go('/sessions')
      await page.route('**/api/live', (route) => route.abort('connectionrefused'))
      server.breakStreams()
      await page.locator('[data-live=broken]').getByText('last heard').waitFor()
      await page.getByRole('status').getByText('The connection broke off').waitFor()
      assert.deepEqual(await violationsOn(page, ['minor', 'moderate', 'serious', 'critical']), [])
      await page.getByRole('button', { name: 'Connect' }).waitFor()
      server.data = withNew(server.data, 1)
      await page.unroute('**/api/live')
      await page.locator('[data-live=live]').waitFor()
      await page.getByText('Live again: what is shown is up to date.').waitFor()
      await page.getByText('new-0', { exact: true }).waitFor()
    })

    it('is silent about a stream that the server ends and takes up again', async () => {
      await go('/sessions')
      server.breakStreams()
      const deadline = Date.now() + 20_000
      while (server.followers === 0 && Date.now() < deadline) await page.waitForEvent('request', { timeout: 20_000 })
      await page.locator('[data-live=live]').waitFor()
      assert.equal(await page.getByText('The connection broke off').count(), 0)
    })

    it('is followed by nobody whose page is hidden', async () => {
      await page.clock.install()
      await go('/sessions')
      await page.evaluate(`{
        Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      }`)
      await page.clock.runFor(20_000)
      await page.locator('[data-live=resting]').waitFor()
      await page.evaluate(`{
        delete document.visibilityState
        document.dispatchEvent(new Event('visibilitychange'))
      }`)
      await page.locator('[data-live=live]').waitFor()
    })
  })

  describe('how it looks', () => {
    it('keeps the colours that were chosen', async () => {
      await go('/')
      await page.getByRole('combobox', { name: 'Colours' }).selectOption('dark')
      const ground = (): Promise<unknown> => page.evaluate('getComputedStyle(document.body).backgroundColor')
      assert.equal(await ground(), 'rgb(15, 20, 23)')
      await page.reload()
      await settled(page)
      assert.equal(await ground(), 'rgb(15, 20, 23)')
    })

    it('has its navigation in a menu on a phone', async () => {
      await page.setViewportSize(PHONE)
      await go('/')
      const link = page.getByRole('navigation', { name: 'Screens' }).getByRole('link', { name: 'Sessions' })
      assert.equal(await link.isVisible(), false)
      await page.getByRole('button', { name: 'Menu' }).click()
      assert.deepEqual(await violationsOn(page, ['minor', 'moderate', 'serious', 'critical']), [])
      await link.click()
      await page.getByRole('heading', { name: 'Sessions', level: 1 }).waitFor()
      assert.equal(await link.isVisible(), false)
    })

    it('has cards on a phone, whose checkboxes and details can be touched', async () => {
      await page.setViewportSize(PHONE)
      await go('/sessions')
      await page.getByRole('checkbox', { name: 'the session of bob' }).check()
      await page.getByRole('button', { name: /^Details of the session of alice/ }).click()
      await page.locator('.detail').waitFor()
      await page.getByRole('button', { name: 'End 1 session' }).waitFor()
      assert.equal(await page.evaluate('document.documentElement.scrollWidth'), PHONE.width)
      assert.deepEqual(await violationsOn(page, ['minor', 'moderate', 'serious', 'critical']), [])
    })

    it('turns nothing for those who want no motion', async () => {
      await page.emulateMedia({ reducedMotion: 'reduce' })
      await go('/sessions')
      server.isStalled = true
      await page.getByRole('button', { name: 'End the session of alice' }).click()
      await dialog().getByRole('button', { name: 'End it' }).click()
      await page.locator('.badge .spinner').waitFor({ state: 'attached' })
      assert.equal(await page.evaluate(`getComputedStyle(document.querySelector('.spinner')).animationName`), 'none')
    })
  })
})

/** The sessions with some newer ones before them. */
function withNew(data: FixtureData, count: number): FixtureData {
  const { sessions } = data
  const fresh = (index: number): LiveSession => ({ uid: `new-uid-${index}`, accountId: `new-${index}`, logins: [] })
  return {
    ...data,
    sessions: {
      length: sessions.length + count,
      row: (index) => (index < count ? fresh(index) : sessions.row(index - count)),
    },
  }
}

function without(sessions: FixtureData['sessions'], index: number): FixtureData['sessions'] {
  return { length: sessions.length - 1, row: (at) => sessions.row(at < index ? at : at + 1) }
}

/** Pending deliveries of which the last one alone is of the client `rare`. */
function onlyLast(pending: FixtureData['pending']): FixtureData['pending'] {
  const length = 7_000
  return {
    length,
    row: (index) => ({ ...pending.row(index), ...(index === length - 1 && { clientId: 'rare' }) }),
  }
}
