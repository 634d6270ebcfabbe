import { useSignal } from '@preact/signals'
import { useEffect, useId, useRef } from 'preact/hooks'
import { focusHeading } from '../browser/focus.ts'
import { Icon } from '../parts/icon.tsx'
import { sentence } from '../parts/sentence.ts'
import { counted, reasonText } from '../parts/words.ts'
import {
  type Action,
  act,
  cancelRunning,
  chooseReason,
  describeFailure,
  dismiss,
  type OpenAction,
  openAction,
  type Phase,
  plan,
} from './action.ts'
import { OperationProgress } from './operation-progress.tsx'

/** The one dialog in which changes are asked for, carried out and told of. */
export function ActionDialog() {
  const open = openAction.value
  const dialog = useRef<HTMLDialogElement>(null)
  const opener = useRef<Element | null>(null)
  const isOpen = open !== undefined
  useEffect(() => {
    const element = dialog.current
    if (!element || element.open === isOpen) return
    if (isOpen) {
      opener.current = document.activeElement
      element.showModal()
      element.querySelector<HTMLElement>('[data-first]')?.focus()
    } else {
      element.close()
      if (!opener.current?.isConnected) focusHeading()
    }
  }, [isOpen])
  const phase = open?.phase.kind
  useEffect(() => {
    // The button that had the focus may be gone with the phase before. The first is never the one that destroys.
    const focused = document.activeElement
    const isLost = phase !== undefined && (focused === dialog.current || !dialog.current?.contains(focused))
    if (isLost) dialog.current?.querySelector<HTMLElement>('[data-first]')?.focus()
  }, [phase])
  const title = useId()
  return (
    <dialog
      ref={dialog}
      class="action"
      aria-labelledby={title}
      onCancel={(event) => {
        event.preventDefault()
        dismiss()
      }}
    >
      {open && <Content key={open.action.title} open={open} title={title} />}
    </dialog>
  )
}

function Content({ open, title }: { readonly open: OpenAction; readonly title: string }) {
  const { action, phase } = open
  const typed = useSignal('')
  const reasonId = useId()
  const typedId = useId()
  const isBefore = phase.kind === 'planning' || phase.kind === 'ready'
  const mayAct = phase.kind === 'ready' && !phase.isNothing && (action.mustType ?? '') === typed.value.trim()
  return (
    <form
      method="dialog"
      onSubmit={(event) => {
        event.preventDefault()
        if (mayAct) void act()
      }}
    >
      <h2 id={title}>{action.title}</h2>
      <p>{action.about}</p>
      {isBefore && action.reasons && (
        <div class="field">
          <label for={reasonId}>Reason, which the log keeps</label>
          <select id={reasonId} value={open.reason} onChange={({ currentTarget }) => chooseReason(currentTarget.value)}>
            {action.reasons.map((reason) => (
              <option key={reason} value={reason}>
                {reasonText(reason)}
              </option>
            ))}
          </select>
        </div>
      )}
      <div class="plan" aria-live="polite">
        <PhaseText phase={phase} action={action} />
      </div>
      {isBefore && action.mustType !== undefined && (
        <div class="field">
          <label for={typedId}>
            Type <strong>{action.mustType}</strong> to go on
          </label>
          <input
            id={typedId}
            type="text"
            autocomplete="off"
            value={typed.value}
            onInput={({ currentTarget }) => {
              typed.value = currentTarget.value
            }}
          />
        </div>
      )}
      <Buttons open={open} mayAct={mayAct} />
    </form>
  )
}

function PhaseText({ phase, action }: { readonly phase: Phase; readonly action: Action }) {
  switch (phase.kind) {
    case 'planning':
      if (!action.plan) return null
      return (
        <p class="working">
          <span class="spinner" aria-hidden="true" />
          Counting what it comes to
          {phase.operation && phase.operation.progress.done > 0
            ? `: ${counted(phase.operation.progress.done, 'is', 'are')} counted`
            : '…'}
        </p>
      )
    case 'ready':
      return (
        <>
          {phase.lines.map((line) => (
            <p key={line} class="plan-line">
              {line}
            </p>
          ))}
        </>
      )
    case 'starting':
      return (
        <p class="working">
          <span class="spinner" aria-hidden="true" />
          Starting…
        </p>
      )
    case 'running':
      return <OperationProgress {...phase} />
    case 'over':
      return (
        <p class={`outcome ${phase.tone}`}>
          <Icon name={phase.tone === 'good' ? 'check' : phase.tone === 'bad' ? 'warning' : 'dash'} />
          {phase.text}
        </p>
      )
    case 'failing':
      return (
        <p class="outcome bad">
          <Icon name="warning" />
          {phase.during === 'plan' ? 'What it comes to could not be counted.' : describeFailure(action, phase.failure)}{' '}
          {sentence(phase.failure)}
        </p>
      )
  }
}

function Buttons({ open, mayAct }: { readonly open: OpenAction; readonly mayAct: boolean }) {
  const { action, phase } = open
  if (phase.kind === 'over')
    return (
      <div class="buttons">
        <button type="button" class="primary" data-first onClick={dismiss}>
          Close
        </button>
      </div>
    )
  if (phase.kind === 'running')
    return (
      <div class="buttons">
        <Leave />
        <button
          type="button"
          class="danger"
          disabled={phase.isCancelling || !phase.operation.cancelling}
          onClick={() => void cancelRunning()}
        >
          {phase.operation.cancelling === 'leaves' ? 'Wait no longer' : 'Cancel it'}
        </button>
      </div>
    )
  return (
    <div class="buttons">
      {phase.kind === 'starting' ? (
        <Leave />
      ) : (
        <button type="button" data-first onClick={dismiss}>
          {phase.kind === 'failing' ? 'Close' : 'Cancel'}
        </button>
      )}
      {phase.kind === 'failing' ? (
        <button type="button" onClick={() => void plan()}>
          Try again
        </button>
      ) : (
        <button type="submit" class={action.isDestructive ? 'danger' : 'primary'} disabled={!mayAct}>
          {action.verb}
        </button>
      )}
    </div>
  )
}

function Leave() {
  return (
    <button type="button" data-first onClick={dismiss}>
      Leave it running
    </button>
  )
}
