import { parseArgs } from 'node:util'
import { findBrowser } from '../support/browser.ts'
import { PLANS } from './plans.ts'

const OPTIONS = {
  suite: { type: 'string', default: 'https://localhost.emobix.co.uk:8443' },
  issuer: { type: 'string', default: 'https://host.docker.internal:3443/oidc' },
  alias: { type: 'string', default: 'oidc-provider-eventstore' },
  state: { type: 'string', default: 'artefacts/conformance' },
  'verify-certificate': { type: 'boolean', default: false },
  'module-seconds': { type: 'string', default: '240' },
  'poll-seconds': { type: 'string', default: '1' },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>['values']

export interface Arguments {
  /** The plans to run. */
  readonly names: string[]
  readonly values: Values
  readonly limitMs: number
  readonly pollMs: number
  /** The browser's program. */
  readonly browser: string
}

/** What the command is asked for; or what is wrong with it. */
export function readArguments(args: string[]): Arguments | string {
  try {
    const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true })
    const names = positionals.length > 0 ? positionals : Object.keys(PLANS)
    const unknown = names.find((name) => !Object.hasOwn(PLANS, name))
    if (unknown !== undefined) return `no plan is called ${unknown}: ${Object.keys(PLANS).join(', ')}`
    const limitMs = Number(values['module-seconds']) * 1_000
    if (!(limitMs > 0)) return '--module-seconds must be a number above 0'
    const pollMs = Number(values['poll-seconds']) * 1_000
    if (!(pollMs > 0)) return '--poll-seconds must be a number above 0'
    if (!URL.canParse(values.suite) || !URL.canParse(values.issuer)) return '--suite and --issuer must be URLs'
    const browser = findBrowser()
    if (browser === undefined) return 'no chromium on the PATH, and CHROMIUM is not set'
    return { names, values, limitMs, pollMs, browser }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
