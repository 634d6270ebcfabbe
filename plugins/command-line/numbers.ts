import { UsageError } from './exit-codes.ts'

/** @throws UsageError */
export function wholeNumber(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1) throw new UsageError(`${text} is not a whole number from 1`)
  return number
}

/** A position of the log, or 0. @throws UsageError */
export function position(text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) throw new UsageError(`${text} is no position`)
  return number
}

/** @throws UsageError */
export function seconds(text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number * 1_000))
    throw new UsageError(`${text} is no number of seconds`)
  return number
}
