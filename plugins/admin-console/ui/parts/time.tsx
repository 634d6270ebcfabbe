import { useComputed } from '@preact/signals'
import { currentTime } from '../browser/clock.ts'
import { exactTime, isoTime, relativeTime } from './time-text.ts'

interface TimeProps {
  readonly at: number | undefined
  /** What is said where there is no time. */
  readonly none?: string
}

/** When something was or will be: how long ago, and the exact time in its title. */
export function Time({ at, none = '–' }: TimeProps) {
  return at === undefined ? none : <KnownTime at={at} />
}

function KnownTime({ at }: { readonly at: number }) {
  const text = useComputed(() => relativeTime(at, currentTime.value))
  return (
    <time dateTime={isoTime(at)} title={exactTime(at)}>
      {text}
    </time>
  )
}
