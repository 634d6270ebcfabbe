import type { ClientPauseAnswer, Operation, ReplayRequest, RetryParkedRequest } from '../../api/contract.ts'
import { counted } from '../parts/words.ts'
import { startOperation } from '../server/operations.ts'
import { apiUrl, request } from '../server/request.ts'
import { ask } from './action.ts'

/** Has dead letters sent again: these, or all that a filter finds. */
export function askToReplay(target: ReplayRequest['target'], what: string, whenOver: () => void): void {
  const start = (more: object, signal?: AbortSignal) =>
    startOperation('/operations/replay', { target, ...more }, signal)
  ask({
    title: `Send ${what} again`,
    about: 'Each gets a fresh logout token and a new budget of attempts.',
    verb: 'Send again',
    plan: (_, signal) => start({ dryRun: true }, signal),
    describePlan: (operation) => planOf(operation),
    act: () => start({}),
    describeResult: (operation) =>
      `${counted(replaysOf(operation).replayed, 'dead letter')} ${replaysOf(operation).replayed === 1 ? 'is' : 'are'} being sent again: see Pending.`,
    whenOver,
  })
}

/** Has parked commits planned again: one, or all. */
export function askToRetryParked(target: RetryParkedRequest, whenOver: () => void): void {
  const { position } = target
  ask({
    title: position === undefined ? 'Plan all parked commits again' : `Plan commit ${position} again`,
    about: 'The RPs that these commits owe a logout are told, if they can be planned by now. What cannot stays parked.',
    verb: 'Plan again',
    act: () => startOperation('/operations/retry-parked', target),
    describeResult: ({ result }) => {
      const { planned = 0, parked = 0 } = (result ?? {}) as { planned?: number; parked?: number }
      const stays =
        parked === 0
          ? ''
          : ` ${counted(parked, 'commit')} cannot be planned, and ${parked === 1 ? 'stays' : 'stay'} parked.`
      return `${counted(planned, 'commit')} planned.${stays}`
    },
    whenOver,
  })
}

export function askToPause(client: string, whenOver: () => void): void {
  ask({
    title: `Pause ${client}`,
    about:
      'Nothing is sent to this RP until it is resumed. What is owed waits, and still grows too old after its time.',
    verb: 'Pause it',
    isDestructive: true,
    act: () => changeClient(client, 'pause'),
    whenOver,
  })
}

export function askToResume(client: string, whenOver: () => void): void {
  ask({
    title: `Resume ${client}`,
    about: 'What is owed to this RP is sent again, slowly at first.',
    verb: 'Resume it',
    act: () => changeClient(client, 'resume'),
    whenOver,
  })
}

async function changeClient(client: string, change: 'pause' | 'resume'): Promise<string> {
  await request<ClientPauseAnswer>(apiUrl(`/clients/${change}`), { method: 'POST', body: { client } })
  return `${client} is ${change}d.`
}

export function askToRetryNow(client: string, whenOver: () => void): void {
  ask({
    title: `Try ${client} now`,
    about: 'All that is pending for this RP is tried at once, not at the time of its next attempt.',
    verb: 'Try now',
    act: () => startOperation('/operations/retry-client', { client }),
    describeResult: ({ result }) => {
      const { hastened = 0 } = (result ?? {}) as { hastened?: number }
      return `${counted(hastened, 'delivery', 'deliveries')} to ${client} due now.`
    },
    whenOver,
  })
}

function planOf(operation: Operation): { lines: string[]; isNothing: boolean } {
  const { replayed, forgotten } = replaysOf(operation)
  const lines = [
    replayed === 0
      ? 'There is nothing to send: no dead letter is found any more.'
      : `${counted(replayed, 'dead letter')} will be sent again.`,
  ]
  if (forgotten > 0) lines.push(`${counted(forgotten, 'dead letter')} of forgotten accounts cannot be sent.`)
  return { lines, isNothing: replayed === 0 }
}

function replaysOf({ result, progress }: Operation): { replayed: number; forgotten: number } {
  const { replayed = progress.done, forgotten = 0 } = (result ?? {}) as { replayed?: number; forgotten?: number }
  return { replayed, forgotten }
}
