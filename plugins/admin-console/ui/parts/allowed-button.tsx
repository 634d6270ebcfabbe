import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import { refusalOfChanges } from '../shell/me.ts'

interface AllowedButtonProps {
  readonly onPress: () => void
  readonly children: ComponentChildren
  readonly tone?: 'danger' | 'primary' | 'plain'
  readonly small?: boolean
  /** Why it cannot be pressed now, whoever is signed in. */
  readonly refusal?: string | undefined
  readonly label?: string
}

/**
 * A button that changes something. For viewers it is there and does nothing, and says why: it can be reached with the
 * keyboard, so that a screen reader reads the reason.
 */
export function AllowedButton({ onPress, children, tone = 'plain', small, refusal, label }: AllowedButtonProps) {
  const id = useId()
  const why = refusalOfChanges() ?? refusal
  return (
    <>
      <button
        type="button"
        class={`${tone}${small ? ' small' : ''}`}
        aria-label={label}
        aria-disabled={why !== undefined}
        aria-describedby={why === undefined ? undefined : id}
        title={why}
        onClick={() => {
          if (why === undefined) onPress()
        }}
      >
        {children}
      </button>
      {why !== undefined && (
        <span id={id} class="visually-hidden">
          {why}
        </span>
      )}
    </>
  )
}
