import { assertKnown, type Fields, flag, invalid, oneOf, requiredText, wholeNumber } from '../../../lib/web/fields.ts'
import { replay } from '../operations/replay.ts'
import { retryClient } from '../operations/retry-client.ts'
import { terminate } from '../operations/terminate.ts'
import type { Operation, OperationAnswer, OperationsAnswer, ReplayRequest, TerminateRequest } from './contract.ts'
import { FILTER_FIELDS, filterIn } from './dead-letter-filter.ts'
import { REASONS } from './reasons.ts'
import type { Answer, Call, Route } from './route.ts'

/** So many sessions or dead letters are named by a request at most: its body holds no more. */
const MOST_SESSIONS = 500
const MOST_LETTERS = 100

/** So long, in milliseconds, the answer to a dry run waits for its end: the next request may be another process's. */
const WAIT_MS = 2_000

export const listOperations: Route = {
  role: 'viewer',
  handle({ operations, process, fields }) {
    assertKnown(fields, [])
    return { body: { process, operations: operations.list() } satisfies OperationsAnswer }
  },
}

export const showOperation: Route = {
  role: 'viewer',
  handle(call) {
    assertKnown(call.fields, ['id'])
    return answer(call, call.operations.find(requiredText(call.fields, 'id')))
  },
}

export const cancelOperation: Route = {
  role: 'operator',
  handle(call) {
    assertKnown(call.fields, ['id'])
    return answer(call, call.operations.cancel(requiredText(call.fields, 'id')))
  },
}

export const startTermination: Route = {
  role: 'operator',
  handle(call) {
    const { operations, logout, fields, operator } = call
    assertKnown(fields, ['target', 'reason', 'dryRun'])
    const request = terminationIn(fields)
    return answerStarted(call, operations.start(terminate(logout, request, operator.name)))
  },
}

export const startReplay: Route = {
  role: 'operator',
  handle(call) {
    const { operations, logout, fields, operator } = call
    assertKnown(fields, ['target', 'dryRun'])
    const target = replayTargetIn(objectIn(fields, 'target'))
    const request = { target: fields['target'], ...dryRunIn(fields) } as ReplayRequest
    return answerStarted(call, operations.start(replay(logout, request, target, operator.name)))
  },
}

/** Tries now what waits for the RP. */
export const startRetryClient: Route = {
  role: 'operator',
  handle(call) {
    const { operations, logout, fields, operator } = call
    assertKnown(fields, ['client'])
    const request = { client: requiredText(fields, 'client') }
    return answer(call, operations.start(retryClient(logout, request, operator.name)), 202)
  },
}

export const startRetryParked: Route = {
  role: 'operator',
  handle(call) {
    const { operations, logout, fields, operator } = call
    assertKnown(fields, ['position'])
    const position = wholeNumber(fields, 'position')
    if (position === 0) throw invalid('position', 'must be a whole number from 1')
    const request = { ...(position !== undefined && { position }) }
    const operation = operations.start({
      kind: 'retry_parked',
      dryRun: false,
      request,
      actor: operator.name,
      async run({ signal, progress }) {
        const outcome = await logout.retryParked({ ...request, actor: operator.name, signal })
        progress({ done: outcome.planned + outcome.parked })
        signal.throwIfAborted()
        return outcome
      },
    })
    return answer(call, operation, 202)
  },
}

function answer({ process }: Call, operation: Operation, status = 200): Answer {
  return { status, body: { process, operation } satisfies OperationAnswer }
}

async function answerStarted(call: Call, started: Operation): Promise<Answer> {
  const { operations, signal } = call
  if (!started.dryRun) return answer(call, started, 202)
  const operation = await operations.overWithin(started.id, WAIT_MS, signal)
  if (signal.aborted) operations.cancel(started.id) // nobody knows its id
  return answer(call, operation, 202)
}

function terminationIn(fields: Fields): TerminateRequest {
  const target = terminationTargetIn(objectIn(fields, 'target'))
  const reason = oneOf(fields, 'reason', REASONS)
  if (reason !== undefined && ('sessions' in target || 'client' in target))
    throw invalid('reason', 'is always admin for single sessions and for a client: leave it out')
  return { target, ...(reason !== undefined && { reason }), ...dryRunIn(fields) }
}

function terminationTargetIn(target: Fields): TerminateRequest['target'] {
  assertKnown(target, ['sessions', 'account', 'client', 'all'])
  switch (onlyOneIn(target)) {
    case 'sessions':
      return { sessions: textsIn(target, 'sessions', MOST_SESSIONS) }
    case 'account':
      return { account: requiredText(target, 'account') }
    case 'client':
      return { client: requiredText(target, 'client') }
    default:
      if (flag(target, 'all') !== true) throw invalid('all', 'must be true')
      return { all: true }
  }
}

function replayTargetIn(target: Fields): Parameters<typeof replay>[2] {
  assertKnown(target, ['letters', 'matching'])
  if (onlyOneIn(target) === 'letters') return { letters: lettersIn(target['letters']) }
  const matching = objectIn(target, 'matching')
  assertKnown(matching, FILTER_FIELDS)
  return { matching: filterIn(matching) }
}

function lettersIn(letters: unknown): { readonly delivery: string; readonly sessionUid: string }[] {
  if (!Array.isArray(letters) || letters.length === 0 || letters.length > MOST_LETTERS)
    throw invalid('letters', `must be an array of 1 to ${MOST_LETTERS} dead letters`)
  return letters.map((letter: unknown) => {
    const fields = objectIn({ letters: letter }, 'letters')
    assertKnown(fields, ['delivery', 'sessionUid'])
    return { delivery: requiredText(fields, 'delivery'), sessionUid: requiredText(fields, 'sessionUid') }
  })
}

function dryRunIn(fields: Fields): { readonly dryRun?: boolean } {
  const dryRun = flag(fields, 'dryRun')
  return dryRun === undefined ? {} : { dryRun }
}

function onlyOneIn(target: Fields): string {
  const [name, ...others] = Object.keys(target)
  if (name === undefined || others.length > 0) throw invalid('target', 'must name exactly one thing')
  return name
}

function textsIn(fields: Fields, name: string, most: number): string[] {
  const values = fields[name]
  if (!Array.isArray(values) || values.length === 0 || values.length > most)
    throw invalid(name, `must be an array of 1 to ${most} texts`)
  return values.map((value: unknown) => requiredText({ [name]: value }, name))
}

function objectIn(fields: Fields, name: string): Fields {
  const value = fields[name]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(name, 'must be an object')
  return value as Fields
}
