import { useComputed } from '@preact/signals'
import { currentTime } from '../browser/clock.ts'
import { exactTime, isoTime, relativeTime } from './time-text.ts'

/** When something was or will be: how long ago, and the exact time in its title. */
export function Time({ at }: { readonly at: number }) {
  const text = useComputed(() => relativeTime(at, currentTime.value))
  return (
    <time dateTime={isoTime(at)} title={exactTime(at)}>
      {text}
    </time>
  )
}
