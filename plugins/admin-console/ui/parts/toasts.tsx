import { signal } from '@preact/signals'
import { after } from '../browser/clock.ts'
import { Icon } from './icon.tsx'

/** So long a message stays, in milliseconds, unless it is a failure, which stays until it is closed. */
const STAYS_MS = 8_000

/** So many are shown; the oldest go first. */
const MOST = 4

interface Toast {
  readonly id: number
  readonly text: string
  readonly tone: 'good' | 'bad'
}

const toasts = signal<readonly Toast[]>([])
let last = 0

/** Tells what was done, or what did not work, for eyes and for screen readers. */
export function toast(text: string, tone: Toast['tone'] = 'good'): void {
  last += 1
  const id = last
  toasts.value = [...toasts.value, { id, text, tone }].slice(-MOST)
  if (tone === 'good') after(STAYS_MS, () => close(id))
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, tone }) => (
        <div key={id} class={`toast ${tone}`}>
          <Icon name={tone === 'good' ? 'check' : 'warning'} />
          <span>{text}</span>
          <button type="button" class="bare" aria-label="Close this message" onClick={() => close(id)}>
            <Icon name="cross" />
          </button>
        </div>
      ))}
    </div>
  )
}

function close(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id)
}
