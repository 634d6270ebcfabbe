import { useSignal } from '@preact/signals'
import { after } from '../browser/clock.ts'
import { Icon } from './icon.tsx'
import { toast } from './toast.ts'

/** So long the button says that it has copied, in milliseconds. */
const SAYS_MS = 1_500

/** An id in full for the clipboard and in its title, shortened in the middle where it is long. */
export function CopyId({ id, what }: { readonly id: string; readonly what: string }) {
  const isCopied = useSignal(false)
  const copy = async (event: Event) => {
    event.stopPropagation()
    try {
      await navigator.clipboard.writeText(id)
      isCopied.value = true
      after(SAYS_MS, () => {
        isCopied.value = false
      })
    } catch {
      toast('The browser does not let this page copy: select the id instead.', 'bad')
    }
  }
  return (
    <span class="copy-id">
      <code title={id}>{shortened(id)}</code>
      <button type="button" class="bare" aria-label={`Copy ${what} ${id}`} title={`Copy ${what}`} onClick={copy}>
        <Icon name={isCopied.value ? 'check' : 'copy'} />
      </button>
    </span>
  )
}

/** So many characters of an id are shown. */
const SHOWN = 22

export function shortened(id: string): string {
  return id.length <= SHOWN ? id : `${id.slice(0, 12)}…${id.slice(-8)}`
}
