import type { Plan } from './plans.ts'
import { type ModuleOutcome, type ModuleRunParts, runModule } from './run-module.ts'
import { SuiteError } from './suite-api.ts'

/** How a plan ended. */
export interface PlanOutcome {
  readonly plan: string
  readonly modules: readonly JudgedModule[]
  /** Where the suite's export lies. */
  readonly exported?: string
  /** Why not all of it was run. */
  readonly problem?: string
}

export interface JudgedModule extends ModuleOutcome {
  readonly verdict: 'asExpected' | 'forAPerson' | 'failed'
}

export const EXIT: { readonly passed: 0; readonly failed: 1; readonly usage: 2; readonly suite: 3 } = {
  /** Every module ended as expected. Those with screenshots still want a person to look at them. */
  passed: 0,
  /** A module ended otherwise. */
  failed: 1,
  /** The command was used wrongly. */
  usage: 2,
  /** The suite does not answer, or not as its API does: what was not run says nothing. */
  suite: 3,
}

/**
 * Runs the modules of a plan one after the other: they share an alias, and so the addresses at the suite.
 *
 * @param folder - where the suite's export is stored
 */
export async function runPlan(
  parts: ModuleRunParts,
  { name, variant, expected }: Plan,
  configuration: object,
  { folder, tell }: { readonly folder: string; readonly tell: (line: string) => void },
): Promise<PlanOutcome> {
  const { api } = parts
  const { id, modules } = await api.createPlan(name, configuration, variant)
  tell(`${name}: plan ${id}, ${modules.length} modules`)
  const judged: JudgedModule[] = []
  let problem: string | undefined
  for (const planned of modules) {
    const outcome = problem === undefined ? await outcomeOf(runModule(parts, id, planned)) : 'notRun'
    if (outcome instanceof SuiteError) problem = outcome.message
    const ended = outcome instanceof SuiteError || outcome === 'notRun' ? notRun(planned, problem) : outcome
    const one = { ...ended, verdict: verdictOn(ended, expected) }
    judged.push(one)
    tell(lineOf(one))
  }
  if (modules.length === 0) problem = 'the plan has no modules'
  const exported = problem === undefined ? await outcomeOf(api.exportTo(id, folder)) : undefined
  if (exported instanceof SuiteError) problem = exported.message
  return {
    ...{ plan: name, modules: judged },
    ...(typeof exported === 'string' && { exported }),
    ...(problem !== undefined && { problem }),
  }
}

/** What is worth an exit code other than 0, the worst first. */
export function exitCodeOf(outcomes: readonly PlanOutcome[]): 0 | 1 | 3 {
  if (outcomes.some(({ problem }) => problem !== undefined)) return EXIT.suite
  const failed = outcomes.some(({ modules }) => modules.some(({ verdict }) => verdict === 'failed'))
  return failed ? EXIT.failed : EXIT.passed
}

/**
 * `PASSED` is as expected. `REVIEW` means that the suite has screenshots which it cannot judge. Anything else has to be
 * expected by name: a warning that nobody has looked into is a failure.
 */
export function verdictOn({ testModule, result }: ModuleOutcome, expected: Plan['expected']): JudgedModule['verdict'] {
  if (result === 'PASSED' || expected[testModule]?.result === result) return 'asExpected'
  return result === 'REVIEW' ? 'forAPerson' : 'failed'
}

function notRun(planned: { readonly testModule: string }, problem: string | undefined): ModuleOutcome {
  return { ...planned, result: 'NOT_RUN', ...(problem !== undefined && { problem }) }
}

/** A `SuiteError` as a value; other errors are our own, and go on. */
async function outcomeOf<T>(promise: Promise<T>): Promise<T | SuiteError> {
  try {
    return await promise
  } catch (error) {
    if (error instanceof SuiteError) return error
    throw error
  }
}

function lineOf({ testModule, id, result, verdict, problem }: JudgedModule): string {
  const mark = { asExpected: 'ok  ', forAPerson: 'look', failed: 'FAIL' }[verdict]
  return `  ${mark}  ${result.padEnd(11)}  ${testModule}${id === undefined ? '' : `  (${id})`}${problem === undefined ? '' : `  ${problem}`}`
}
