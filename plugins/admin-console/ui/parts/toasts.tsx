import { Icon } from './icon.tsx'
import { closeToast, toasts } from './toast.ts'

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, tone }) => (
        <div key={id} class={`toast ${tone}`}>
          <Icon name={tone === 'good' ? 'check' : 'warning'} />
          <span>{text}</span>
          <button type="button" class="bare" aria-label="Close this message" onClick={() => closeToast(id)}>
            <Icon name="cross" />
          </button>
        </div>
      ))}
    </div>
  )
}
