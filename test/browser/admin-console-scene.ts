import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Role } from '../../plugins/admin-console/api/contract.ts'
import { buildConsole, type ConsoleManifest } from '../../scripts/build-console.mjs'
import { findBrowser, launchBrowser } from '../support/browser.ts'
import type { FixtureData } from './admin-console-data.ts'
import { type FixtureMood, FixtureServer } from './admin-console-server.ts'

/** How long anything on a page may take, in milliseconds. */
const PATIENCE_MS = 60_000

export const DESK: { readonly width: number; readonly height: number } = { width: 1280, height: 860 }
export const PHONE: { readonly width: number; readonly height: number } = { width: 390, height: 844 }

/** A browser, the built console, and the fixture servers that a test file starts. */
export class ConsoleScene {
  readonly browser: Browser
  readonly manifest: ConsoleManifest
  /** What any page has said on the console, every error and every violation of the policy. */
  readonly complaints: string[] = []
  readonly #folder: string
  readonly #servers: FixtureServer[] = []

  private constructor(browser: Browser, manifest: ConsoleManifest, folder: string) {
    this.browser = browser
    this.manifest = manifest
    this.#folder = folder
  }

  /** Undefined where this machine has no browser; says so. */
  static async open(): Promise<ConsoleScene | undefined> {
    const path = findBrowser()
    if (path === undefined) {
      console.log('      The browser test did not run: no chromium on the PATH, and CHROMIUM is not set.')
      return undefined
    }
    const folder = await mkdtemp(join(tmpdir(), 'admin-console-'))
    const manifest = await buildConsole(join(folder, 'assets'))
    return new ConsoleScene(await launchBrowser(path), manifest, folder)
  }

  async close(): Promise<void> {
    await this.browser.close()
    await Promise.all(this.#servers.map((server) => server.stop()))
    await rm(this.#folder, { recursive: true, force: true })
  }

  async serve(data: FixtureData, role: Role = 'operator', mood: FixtureMood = 'well'): Promise<FixtureServer> {
    const assets = join(this.#folder, 'assets')
    const server = await FixtureServer.start({ assets, manifest: this.manifest, data, role, mood })
    this.#servers.push(server)
    return server
  }

  async newPage(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    const context = await this.browser.newContext({ colorScheme: 'light', viewport: DESK, ...options })
    context.setDefaultTimeout(PATIENCE_MS)
    await this.listen(context)
    return context.newPage()
  }

  /** Collects what pages of a context complain of; that a request failed is no complaint: some tests want that. */
  async listen(context: BrowserContext): Promise<void> {
    await context.exposeFunction('complain', (text: string) => this.complaints.push(text))
    await context.addInitScript(`
      addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) =>
        complain('violates ' + violatedDirective + ': ' + blockedURI + ' ' + sample))
      addEventListener('unhandledrejection', ({ reason }) => complain('unhandled: ' + reason))
    `)
    context.on('console', (message) => {
      if (!message.text().startsWith('Failed to load resource')) this.complaints.push(message.text())
    })
    context.on('weberror', (error) => this.complaints.push(error.error().message))
  }
}

/**
 * Leads a page to a place of the console: as a link of the console does where it is open already, since loading it anew
 * takes most of a test's time.
 */
export async function go(page: Page, server: FixtureServer, path: string): Promise<void> {
  const to = server.url(path)
  if (page.url().startsWith(server.url()) && new URL(page.url()).pathname !== new URL(to).pathname) {
    await page.evaluate(`new Promise((resolve) => {
      const left = document.querySelector('main h1')
      history.pushState({}, '', ${JSON.stringify(to)})
      dispatchEvent(new PopStateEvent('popstate'))
      const look = () => (left?.isConnected ? requestAnimationFrame(look) : resolve())
      look()
    })`)
  } else await page.goto(to)
  await settled(page)
}

/** Waits until a page shows what it was asked for, or why it cannot. */
export async function settled(page: Page): Promise<void> {
  await page.locator('main h1').waitFor()
  await page.locator('.state.loading').waitFor({ state: 'detached' })
}
