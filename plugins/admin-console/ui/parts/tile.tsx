import type { ComponentChildren } from 'preact'
import { hrefOf } from '../routing/location.ts'

interface TileProps {
  readonly label: string
  readonly value: ComponentChildren
  readonly hint?: ComponentChildren
  /** Where the figure comes from. */
  readonly to?: string
  readonly tone?: 'bad' | 'warn' | undefined
}

/** A figure that is read from afar. */
export function Tile({ label, value, hint, to, tone }: TileProps) {
  return (
    <div class={`tile ${tone ?? ''}`}>
      <dt>{to === undefined ? label : <a href={hrefOf(to)}>{label}</a>}</dt>
      <dd>
        <span class="figure">{value}</span>
        {hint !== undefined && <span class="hint">{hint}</span>}
      </dd>
    </div>
  )
}
