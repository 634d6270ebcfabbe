import { useEffect, useRef } from 'preact/hooks'
import { isHelpOpen } from '../browser/shortcuts.ts'
import { SCREENS } from '../routing/screens.ts'

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['/', 'Search here'],
  ['↓ ↑', 'From row to row'],
  ['Home End', 'First and last row'],
  ['Enter', 'Open the row'],
  ['Esc', 'Close a dialog'],
  ['?', 'This list'],
]

export function ShortcutHelp() {
  const dialog = useRef<HTMLDialogElement>(null)
  const isOpen = isHelpOpen.value
  useEffect(() => {
    if (isOpen) dialog.current?.showModal()
  }, [isOpen])
  return (
    <dialog
      ref={dialog}
      aria-labelledby="shortcuts-title"
      onClose={() => {
        isHelpOpen.value = false
      }}
    >
      {isOpen && (
        <form method="dialog">
          <h2 id="shortcuts-title">Keyboard shortcuts</h2>
          <dl class="shortcuts">
            {KEYS.map(([keys, what]) => (
              <Shortcut key={keys} keys={keys} what={what} />
            ))}
            {SCREENS.map(({ letter, name }) => (
              <Shortcut key={letter} keys={`g ${letter}`} what={name} />
            ))}
          </dl>
          <div class="buttons">
            <button type="submit" class="primary">
              Close
            </button>
          </div>
        </form>
      )}
    </dialog>
  )
}

function Shortcut({ keys, what }: { readonly keys: string; readonly what: string }) {
  return (
    <div>
      <dt>
        {keys.split(' ').map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dt>
      <dd>{what}</dd>
    </div>
  )
}
