import { type ReadonlySignal, signal } from '@preact/signals'
import { after } from '../browser/clock.ts'

/** So long a message stays, in milliseconds, unless it is a failure, which stays until it is closed. */
const STAYS_MS = 8_000

/** So many are shown; the oldest go first. */
const MOST = 4

interface Toast {
  readonly id: number
  readonly text: string
  readonly tone: 'good' | 'bad'
}

const told = signal<readonly Toast[]>([])
let last = 0

/** The messages that are shown. */
export const toasts: ReadonlySignal<readonly Toast[]> = told

/** Tells what was done, or what did not work, for eyes and for screen readers. */
export function toast(text: string, tone: Toast['tone'] = 'good'): void {
  last += 1
  const id = last
  told.value = [...told.value, { id, text, tone }].slice(-MOST)
  if (tone === 'good') after(STAYS_MS, () => closeToast(id))
}

export function closeToast(id: number): void {
  told.value = told.value.filter((one) => one.id !== id)
}
