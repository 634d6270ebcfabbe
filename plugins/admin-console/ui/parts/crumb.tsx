import { hrefOf } from '../routing/location.ts'
import { Icon } from './icon.tsx'

/** Leads back to the list that a screen belongs to. */
export function Crumb({ to, text }: { readonly to: string; readonly text: string }) {
  return (
    <p class="crumb">
      <a href={hrefOf(to)}>
        <Icon name="back" /> {text}
      </a>
    </p>
  )
}
