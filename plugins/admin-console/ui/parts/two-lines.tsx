import type { ComponentChildren } from 'preact'

/** What a cell says, and below it, smaller, what belongs to it. */
export function TwoLines({ main, sub }: { readonly main: ComponentChildren; readonly sub?: ComponentChildren }) {
  return (
    <div class="two-lines">
      <div>{main}</div>
      {sub !== undefined && sub !== '' && <div class="hint">{sub}</div>}
    </div>
  )
}
