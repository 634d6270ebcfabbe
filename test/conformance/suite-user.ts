import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { launchBrowser } from '../support/browser.ts'
import type { User } from './run-module.ts'
import type { PageToVisit } from './suite-api.ts'

/** What the example's pages ask for, and how it is answered: the login, the consent, the logout, a page that goes on. */
const BUTTONS = [
  'button[name="login"][value="alice"]',
  'form[action$="/consent"] button',
  'button[name="logout"][value="yes"]',
]

/** So many pages of the OP one visit goes through. */
const MOST_ANSWERS = 8

/** A user of the example's OP, in a real browser: the suite's pages need scripts. */
export class SuiteUser implements User {
  readonly #browser: Browser
  readonly #limitMs: number
  #context: BrowserContext | undefined

  /** @param limitMs - how long a page may take, in milliseconds */
  static async launch(executablePath: string, limitMs: number = 30_000): Promise<SuiteUser> {
    return new SuiteUser(await launchBrowser(executablePath), limitMs)
  }

  private constructor(browser: Browser, limitMs: number) {
    this.#browser = browser
    this.#limitMs = limitMs
  }

  async startAnew(): Promise<void> {
    await this.#context?.close()
    // OP and suite have certificates that they made themselves.
    this.#context = await this.#browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 800, height: 600 } })
    this.#context.setDefaultTimeout(this.#limitMs)
  }

  async visit({ url, method }: PageToVisit): Promise<string> {
    if (this.#context === undefined) await this.startAnew()
    const page = await (this.#context as BrowserContext).newPage()
    try {
      await open(page, url, method)
      const first = await screenshotOf(page)
      const isAsked = await answerAll(page)
      return isAsked ? first : await screenshotOf(page)
    } finally {
      await page.close()
    }
  }

  async close(): Promise<void> {
    await this.#browser.close()
  }
}

async function open(page: Page, url: string, method: PageToVisit['method']): Promise<void> {
  if (method === 'GET') await page.goto(url)
  else await post(page, new URL(url))
  await page.waitForLoadState('networkidle')
}

/** A form of the query's parameters, posted as a browser posts one. */
async function post(page: Page, url: URL): Promise<void> {
  await page.setContent('<form method="post"></form>')
  const parameters = [...url.searchParams]
  const done = page.waitForNavigation()
  await page.locator('form').evaluate(
    (form: HTMLFormElement, [action, fields]) => {
      form.action = action
      for (const [name, value] of fields) {
        const field = document.createElement('input')
        Object.assign(field, { type: 'hidden', name, value })
        form.append(field)
      }
      HTMLFormElement.prototype.submit.call(form)
    },
    [`${url.origin}${url.pathname}`, parameters] as const,
  )
  await done
}

/** Answers what the OP asks, page after page. Returns whether it has asked anything. */
async function answerAll(page: Page): Promise<boolean> {
  for (let answers = 0; answers < MOST_ANSWERS; answers++) {
    const button = await buttonOn(page)
    if (button === undefined) return answers > 0
    await Promise.all([page.waitForNavigation(), button.click()])
    await page.waitForLoadState('networkidle')
  }
  throw new Error(`the OP still asks after ${MOST_ANSWERS} answers: ${await page.title()}`)
}

async function buttonOn(page: Page): Promise<Locator | undefined> {
  for (const selector of BUTTONS) {
    const button = page.locator(selector).first()
    if (await button.isVisible()) return button
  }
  return undefined
}

/** Small enough for the suite, which takes 500 KB. */
async function screenshotOf(page: Page): Promise<string> {
  return `data:image/png;base64,${(await page.screenshot()).toString('base64')}`
}
