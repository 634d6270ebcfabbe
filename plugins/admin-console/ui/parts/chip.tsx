import { Icon, type IconName } from './icon.tsx'

export type Tone = 'good' | 'bad' | 'warn' | 'busy' | 'quiet'

const ICONS: Readonly<Record<Tone, IconName>> = {
  good: 'check',
  bad: 'cross',
  warn: 'warning',
  busy: 'clock',
  quiet: 'dash',
}

/** How something stands: a word and a shape; the colour only helps. */
export function Chip({ tone, text, icon }: { readonly tone: Tone; readonly text: string; readonly icon?: IconName }) {
  return (
    <span class={`chip ${tone}`}>
      <Icon name={icon ?? ICONS[tone]} />
      {text}
    </span>
  )
}
