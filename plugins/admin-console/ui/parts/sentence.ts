import type { Failure } from '../server/failure.ts'

/** The message of a failure as a sentence, with its code. */
export function sentence({ message, code }: Failure): string {
  return `${asSentence(message === '' ? 'it did not say why' : message)}${code === undefined ? '' : ` (${code})`}`
}

/** With a capital letter at its start and a stop at its end. */
export function asSentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}
