import type { Health, PausedClient } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Problem } from './contract.ts'

/** What is judged. */
interface Standing {
  readonly health: Health
  readonly paused: readonly PausedClient[]
}

/** A planner that is so far behind, in milliseconds, is a fault: `health()` says so too. */
const BEHIND_MS = 60_000

/** A delivery that is due for so long, in milliseconds, waits for something. */
const OVERDUE_MS = 300_000

/** So many clients are told one by one. */
const MOST_CLIENTS = 20

const SEVERITIES: readonly Problem['severity'][] = ['error', 'warning', 'notice']

/** What needs an operator, the worst first. */
export function problemsOf(standing: Standing): Problem[] {
  const found = [...ofTheOp(standing.health), ...ofRps(standing)]
  return SEVERITIES.flatMap((severity) => found.filter((problem) => problem.severity === severity))
}

function ofTheOp({ store, forged, isOn, planner, parked }: Health): Problem[] {
  const problems: Problem[] = []
  const add = (problem: Problem): void => {
    problems.push(problem)
  }
  if (!store.isReachable)
    add({
      code: 'STORE_UNREACHABLE',
      severity: 'error',
      message: `The store does not answer: ${store.error ?? 'no reason is known'}.`,
      advice: 'Look at the database and the network to it. Nobody can log in or out meanwhile.',
    })
  if (forged)
    add({
      code: 'COMMITS_FORGED',
      severity: 'error',
      message: `${counted(forged.commits, 'commit')} in the database ${forged.commits === 1 ? 'was' : 'were'} not stored by this OP; the first is at position ${forged.first}.`,
      advice: 'Somebody else writes to the database: run `verify`, and find out who.',
    })
  if (planner?.stopped !== undefined)
    add({
      code: 'PLANNER_STOPPED',
      severity: 'error',
      message: `The planner of this process has stopped: ${planner.stopped}.`,
      advice: 'Mend what it says, then start the process again. No RP is told of new logouts by it meanwhile.',
    })
  else if (planner && planner.behindMs >= BEHIND_MS)
    add({
      code: 'PLANNER_BEHIND',
      severity: 'error',
      message: `The planner is ${counted(planner.behind, 'commit')} behind, the oldest of them for ${Math.round(planner.behindMs / 1_000)} s.`,
      advice: 'Look whether a process of the OP runs, and whether the store is slow.',
    })
  if (parked && parked.count > 0)
    add({
      code: 'COMMITS_PARKED',
      severity: 'error',
      message: `${countOf(parked, 'commit')} could not be planned: the logouts caused there are told to nobody.`,
      advice: 'Look at the reason of each, then plan them again.',
    })
  if (!isOn)
    add({
      code: 'FEATURE_OFF',
      severity: 'warning',
      message: 'Back-channel logout is off: no RP is told of anything, and what is owed waits.',
      advice: 'Switch it on again under features when it may go on.',
    })
  return problems
}

function ofRps({ health: { openCircuits = [], deadLetters, deliveries }, paused }: Standing): Problem[] {
  const overdueMs = deliveries?.overdueMs ?? 0
  return [
    ...openCircuits.slice(0, MOST_CLIENTS).map((clientId): Problem => {
      const message = `The RP ${clientId} fails again and again: this process leaves it alone, and probes it now and then.`
      return {
        code: 'CIRCUIT_OPEN',
        severity: 'warning',
        message,
        advice: 'Ask who runs it. Try it by a test token.',
        clientId,
      }
    }),
    ...(deadLetters && deadLetters.count > 0
      ? [
          {
            code: 'DEAD_LETTERS' as const,
            severity: 'warning' as const,
            message: `${countOf(deadLetters, 'dead letter')}: an RP was not told of a logout, and nobody tries any more.`,
            advice: 'Find out why, then send it again.',
          },
        ]
      : []),
    ...(overdueMs >= OVERDUE_MS
      ? [
          {
            code: 'DELIVERIES_OVERDUE' as const,
            severity: 'warning' as const,
            message: `The oldest delivery that is due has been for ${Math.round(overdueMs / 1_000)} s.`,
            advice: 'Its RP is paused or left alone, or more is owed than is sent: look at the RPs with most pending.',
          },
        ]
      : []),
    ...paused.slice(0, MOST_CLIENTS).map(({ clientId, actor }): Problem => {
      const message = `Nothing is sent to the RP ${clientId}: ${actor} has paused it.`
      return {
        code: 'CLIENT_PAUSED',
        severity: 'notice',
        message,
        advice: 'Resume it when it may be told again.',
        clientId,
      }
    }),
  ]
}

function countOf({ count, isExact }: { readonly count: number; readonly isExact: boolean }, what: string): string {
  return `${isExact ? '' : 'At least '}${counted(count, what)}`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
