import type { Operation, TerminateRequest } from '../../api/contract.ts'
import { counted, reasonText } from '../parts/words.ts'
import { startOperation } from '../server/operations.ts'
import { type Action, ask } from './action.ts'

type Target = TerminateRequest['target']

/** What a termination came to; the server's types for it are wider than what a termination answers. */
interface Ends {
  readonly sessions: number
  readonly logins: number
  readonly grants: number
  readonly failed: number
}

/** What the reason decides. */
const GRANTS = `Grants with offline access stay where the reason is “${reasonText('admin')}”; all others are revoked.`

/** Ends the sessions with these uids. */
export function askToEndSessions(uids: readonly string[], whose: string, whenOver: () => void): void {
  askToEnd(
    { sessions: uids },
    {
      title: uids.length === 1 ? `End the session of ${whose}` : `End ${counted(uids.length, 'session')}`,
      about: 'The user is logged out at the OP, and the RPs are told. The log says: ended by an operator.',
      verb: uids.length === 1 ? 'End it' : 'End them',
      whenOver,
    },
  )
}

/** Ends all sessions of an account, those that begin while it runs excepted. */
export function askToEndAccount(account: string, reasons: readonly string[], whenOver: () => void): void {
  askToEnd(
    { account },
    {
      title: `End all sessions of ${account}`,
      about: `The user is logged out everywhere, and the RPs are told. ${GRANTS}`,
      verb: 'End them all',
      reasons,
      whenOver,
    },
  )
}

/** Ends the logins at one RP; the sessions live on. */
export function askToEndClient(client: string, whenOver: () => void): void {
  askToEnd(
    { client },
    {
      title: `End all logins at ${client}`,
      about: 'The RP is told that each of its logins has ended. The sessions of the users live on at the OP.',
      verb: 'End them all',
      whenOver,
    },
  )
}

/** Ends every session of the issuer. */
export function askToEndAll(reasons: readonly string[], whenOver: () => void): void {
  askToEnd(
    { all: true },
    {
      title: 'End every session',
      about: `Everybody is logged out, and every RP is told. ${GRANTS}`,
      verb: 'End every session',
      reasons,
      mustType: 'end every session',
      whenOver,
    },
  )
}

type Words = Pick<Action, 'title' | 'about' | 'verb' | 'whenOver'> & Partial<Pick<Action, 'reasons' | 'mustType'>>

function askToEnd(target: Target, words: Words): void {
  const start = (reason: string | undefined, more: object, signal?: AbortSignal) =>
    startOperation('/operations/terminate', { target, ...(reason !== undefined && { reason }), ...more }, signal)
  ask({
    ...words,
    isDestructive: true,
    plan: (reason, signal) => start(reason, { dryRun: true }, signal),
    describePlan: (operation) => planOf(endsOf(operation), 'client' in target),
    act: (reason) => start(reason, {}),
    describeResult: (operation) => resultOf(endsOf(operation), 'client' in target),
  })
}

/** At a client the logins end, and their sessions live on. */
function planOf(
  { sessions, logins, grants, failed }: Ends,
  ofClient: boolean,
): { lines: string[]; isNothing: boolean } {
  if (sessions + logins + grants === 0 && failed === 0)
    return { lines: ['Nothing lives any more: there is nothing to end.'], isNothing: true }
  const what = ofClient ? counted(logins, 'login') : counted(sessions, 'session')
  const lines = [
    `${what} will end, and ${counted(grants, 'grant')} will be revoked.`,
    logins === 0 ? 'No RP has a login of them.' : `RPs will be told that ${counted(logins, 'login')} ended.`,
  ]
  if (failed > 0)
    lines.push(`${counted(failed, 'session')} could not be read, and would stay: the OP’s own log says why.`)
  return { lines, isNothing: false }
}

function resultOf({ sessions, logins, grants, failed }: Ends, ofClient: boolean): string {
  const what = ofClient ? counted(logins, 'login') : counted(sessions, 'session')
  const done = `${what} ended, ${counted(grants, 'grant')} revoked; RPs are being told that ${counted(logins, 'login')} ended.`
  return failed === 0
    ? done
    : `${done} ${counted(failed, 'session')} could not be ended: order it again when that is mended.`
}

function endsOf({ result, progress }: Operation): Ends {
  const counts = { ...progress, ...result } as Partial<Ends>
  const { sessions = 0, logins = 0, grants = 0, failed = 0 } = counts
  return { sessions, logins, grants, failed }
}
