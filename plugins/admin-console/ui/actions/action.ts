import { type ReadonlySignal, signal } from '@preact/signals'
import type { Operation } from '../../api/contract.ts'
import { sentence } from '../parts/sentence.ts'
import { toast } from '../parts/toast.ts'
import { counted } from '../parts/words.ts'
import { asFailure, Failure, isAborted, isOutcomeUnknown } from '../server/failure.ts'
import { cancelOperation, followOperation } from '../server/operations.ts'

/** Something that changes more than the page, and is asked for first. */
export interface Action {
  readonly title: string
  /** What it is about, and what will be the matter afterwards. */
  readonly about: string
  /** What the button that does it says. */
  readonly verb: string
  readonly isDestructive?: boolean
  /** The reasons that it may have, as the server names them. */
  readonly reasons?: readonly string[]
  /** What has to be typed first, since there is no way back. */
  readonly mustType?: string
  /** A dry run, by the server. */
  readonly plan?: (reason: string | undefined, signal: AbortSignal) => Promise<Operation>
  /** What the dry run says, a line each; `isNothing` where there is nothing to do. */
  readonly describePlan?: (operation: Operation) => { readonly lines: readonly string[]; readonly isNothing: boolean }
  /** Does it. Text: it is done. */
  readonly act: (reason: string | undefined) => Promise<Operation | string>
  /** What it came to. */
  readonly describeResult?: (operation: Operation) => string
  /** Called when it is over, however it ended. */
  readonly whenOver?: () => void
}

/** How far an action is. */
export type Phase =
  | { readonly kind: 'planning'; readonly operation?: Operation }
  | { readonly kind: 'ready'; readonly lines: readonly string[]; readonly isNothing: boolean }
  | { readonly kind: 'starting' }
  | {
      readonly kind: 'running'
      readonly operation: Operation
      readonly isCancelling: boolean
      /** How far it is cannot be asked now. */
      readonly isUnheard: boolean
    }
  | { readonly kind: 'over'; readonly text: string; readonly tone: 'good' | 'quiet' | 'bad' }
  | { readonly kind: 'failing'; readonly failure: Failure; readonly during: 'plan' | 'act' }

/** An action that the operator has asked for, and that waits for a yes, or runs. */
export interface OpenAction {
  readonly action: Action
  readonly reason: string | undefined
  readonly phase: Phase
}

const open = signal<OpenAction | undefined>(undefined)
let abort = new AbortController()

export const openAction: ReadonlySignal<OpenAction | undefined> = open

/** Asks the operator. What it would come to is asked of the server meanwhile. */
export function ask(action: Action): void {
  begin()
  open.value = { action, reason: action.reasons?.[0], phase: { kind: 'planning' } }
  void plan()
}

export function chooseReason(reason: string): void {
  if (!open.value) return
  open.value = { ...open.value, reason }
  void plan()
}

/** Asks again what it would come to. */
export async function plan(): Promise<void> {
  const asked = open.value
  if (!asked) return
  const aborted = begin()
  const { action, reason } = asked
  if (!action.plan) {
    show(aborted, { kind: 'ready', lines: [], isNothing: false })
    return
  }
  show(aborted, { kind: 'planning' })
  try {
    const started = await action.plan(reason, aborted)
    const hear = (operation: Operation) => show(aborted, { kind: 'planning', operation })
    const planned = await followOperation(started, hear, aborted)
    if (!planned) {
      show(aborted, { kind: 'ready', lines: [UNCOUNTED], isNothing: false })
      return
    }
    if (planned.state !== 'completed') throw failureOf(planned)
    show(aborted, { kind: 'ready', ...(action.describePlan?.(planned) ?? { lines: [], isNothing: false }) })
  } catch (error) {
    show(aborted, { kind: 'failing', failure: asFailure(error), during: 'plan' })
  }
}

/** The operator said yes. */
export async function act(): Promise<void> {
  const asked = open.value
  if (!asked || asked.phase.kind === 'starting' || asked.phase.kind === 'running') return
  const { action, reason } = asked
  const aborted = begin()
  show(aborted, { kind: 'starting' })
  try {
    const started = await action.act(reason)
    if (typeof started === 'string') {
      if (!aborted.aborted) open.value = undefined
      toast(started)
    } else await followToEnd(action, started, aborted)
  } catch (error) {
    if (isAborted(error)) return // it was left, and goes on
    const failure = asFailure(error)
    if (aborted.aborted) toast(`${action.title}: ${describeFailure(action, failure)} ${sentence(failure)}`, 'bad')
    show(aborted, { kind: 'failing', failure, during: 'act' })
  }
  action.whenOver?.()
}

/** Closes the dialog. What runs goes on. */
export function dismiss(): void {
  const phase = open.value?.phase
  if (phase?.kind === 'planning' && phase.operation?.state === 'running') {
    cancelOperation(phase.operation.id).catch(() => undefined) // counts to its end, where it cannot be told
  }
  if (phase?.kind === 'running' || phase?.kind === 'starting')
    toast(`It goes on${open.value?.action.describeResult ? ': Terminations shows how far it is' : ''}.`)
  abort.abort()
  open.value = undefined
}

/** Has the server stop what runs, as far as it can be stopped. */
export async function cancelRunning(): Promise<void> {
  const phase = open.value?.phase
  if (phase?.kind !== 'running') return
  const { signal: aborted } = abort
  show(aborted, { ...phase, isCancelling: true })
  try {
    await cancelOperation(phase.operation.id)
  } catch (error) {
    toast(asFailure(error).message, 'bad')
    const now = open.value?.phase
    if (now?.kind === 'running') show(aborted, { ...now, isCancelling: false })
  }
}

async function followToEnd(action: Action, started: Operation, aborted: AbortSignal): Promise<void> {
  const hear = (operation: Operation, isUnheard: boolean) => {
    const before = open.value?.phase
    const isCancelling = before?.kind === 'running' && before.isCancelling
    show(aborted, { kind: 'running', operation, isCancelling, isUnheard })
  }
  const ended = await followOperation(started, hear, aborted)
  show(aborted, { kind: 'over', ...(ended ? describeEnd(action, ended) : UNHEARD) })
}

const UNCOUNTED = 'It was not counted: another process of the server was asked. You may go on without.'

const UNHEARD = {
  text: 'Another process runs it, or did: Terminations and Logouts say what became of it.',
  tone: 'quiet',
} as const

/** What a failure means for what was asked for. */
export function describeFailure({ describeResult }: Action, failure: Failure): string {
  if (!isOutcomeUnknown(failure)) return 'It did not work.'
  return describeResult ? 'It may have been ordered: look under Terminations.' : 'It may have been done: look again.'
}

function describeEnd(
  action: Action,
  operation: Operation,
): { readonly text: string; readonly tone: 'good' | 'quiet' | 'bad' } {
  const { done } = operation.progress
  switch (operation.state) {
    case 'completed':
      return { text: action.describeResult?.(operation) ?? 'Done.', tone: 'good' }
    case 'cancelled':
      return {
        text: `Cancelled: ${counted(done, 'was', 'were')} done until then, and ${done === 1 ? 'stays' : 'stay'} so.`,
        tone: 'quiet',
      }
    case 'left':
      return { text: 'It cannot be called back, and goes on: Terminations says how far it is.', tone: 'quiet' }
    default:
      return { text: sentence(failureOf(operation)), tone: 'bad' }
  }
}

function failureOf({ error, state }: Operation): Failure {
  return new Failure('failed', error?.message ?? `it was ${state}`, error)
}

/** What was begun before is not shown any more. */
function begin(): AbortSignal {
  abort.abort()
  abort = new AbortController()
  return abort.signal
}

/** Shows how far it is, unless the operator has left it, or asked for something else. */
function show(aborted: AbortSignal, phase: Phase): void {
  if (open.value && !aborted.aborted) open.value = { ...open.value, phase }
}
