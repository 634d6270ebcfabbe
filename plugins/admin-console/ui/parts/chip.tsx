import { Icon, type IconName } from './icon.tsx'

export type Tone = 'good' | 'bad' | 'warn' | 'busy' | 'quiet'

const ICONS: Readonly<Record<Tone, IconName>> = {
  good: 'check',
  bad: 'cross',
  warn: 'warning',
  busy: 'clock',
  quiet: 'dash',
}

interface ChipProps {
  readonly tone: Tone
  readonly text: string
  readonly icon?: IconName
  /** Without a ground: for what is as it should be, row after row. */
  readonly isPlain?: boolean
}

/** How something stands: a word and a shape; the colour only helps. */
export function Chip({ tone, text, icon, isPlain = false }: ChipProps) {
  return (
    <span class={`chip ${tone}${isPlain ? ' plain' : ''}`}>
      <Icon name={icon ?? ICONS[tone]} />
      {text}
    </span>
  )
}
