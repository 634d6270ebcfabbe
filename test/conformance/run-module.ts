import type { Clock } from '../../lib/index.ts'
import type { PageToVisit, PlannedModule, SuiteApi } from './suite-api.ts'

/** Who sits at the browser: logs in, agrees, logs out, as a module wants it. */
export interface User {
  /** Another browser, without cookies. */
  startAnew(): Promise<void>
  /** Goes to a page and does what it asks for. Returns a screenshot, `data:image/png;base64,…`, of what it asked or said. */
  visit(page: PageToVisit): Promise<string>
}

/** How a module ended. */
export interface ModuleOutcome extends PlannedModule {
  readonly id?: string
  /** The suite's own word (`PASSED`, `WARNING`, `REVIEW`, `SKIPPED`, `FAILED`, …), or one of ours. */
  readonly result: string | 'INTERRUPTED' | 'TIMED_OUT' | 'NOT_RUN'
  /** What went wrong on our side. */
  readonly problem?: string
}

export interface ModuleRunParts {
  readonly api: SuiteApi
  readonly user: User
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  /** How long one module may take, in milliseconds. */
  readonly limitMs: number
  /** How long between two looks, in milliseconds. */
  readonly pollMs: number
}

/** So many pages one module may have visited: those of the suite want four at most. */
const MOST_PAGES = 20

/** Runs one module to its end, or to the end of its time. Rejects where the suite does not answer (`SuiteError`). */
export async function runModule(parts: ModuleRunParts, plan: string, planned: PlannedModule): Promise<ModuleOutcome> {
  const { api, clock, user, limitMs, pollMs } = parts
  await user.startAnew()
  const end = clock.monotonic() + limitMs
  const id = await api.createModule(plan, planned)
  let pages = 0
  for (;;) {
    const { status, result } = await api.state(id)
    if (status === 'FINISHED' && result !== undefined) return { ...planned, id, result }
    if (status === 'INTERRUPTED') return { ...planned, id, result: 'INTERRUPTED' }
    const isTooLate = clock.monotonic() >= end
    if (isTooLate || pages > MOST_PAGES) {
      await api.cancel(id)
      const problem = isTooLate
        ? `it was ${status} after ${limitMs / 1_000} s`
        : `it wants more than ${MOST_PAGES} pages`
      return { ...planned, id, result: 'TIMED_OUT', problem }
    }
    const [page] = status === 'WAITING' ? await api.pagesToVisit(id) : []
    if (page === undefined) {
      await clock.sleep(pollMs)
      continue
    }
    pages += 1
    const problem = await visit(parts, id, page)
    if (problem !== undefined) {
      await api.cancel(id)
      return { ...planned, id, result: 'INTERRUPTED', problem }
    }
  }
}

/** Visits a page, and hands in what it looked like where the module wants that. Returns what went wrong. */
async function visit({ api, user }: ModuleRunParts, id: string, page: PageToVisit): Promise<string | undefined> {
  // First: the module may go on, and want the same page again, before the visit is over.
  await api.visited(id, page)
  let screenshot: string
  try {
    screenshot = await user.visit(page)
  } catch (error) {
    return `the browser failed at ${new URL(page.url).pathname}: ${error instanceof Error ? error.message : error}`
  }
  const [placeholder] = await api.openPlaceholders(id)
  if (placeholder !== undefined) await api.upload(id, placeholder, screenshot)
  return undefined
}
