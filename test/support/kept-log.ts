import type { Logger } from '../../lib/index.ts'

export interface Line {
  readonly level: keyof Logger
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

/** A logger that keeps what it was told. */
export class KeptLog implements Logger {
  readonly lines: Line[] = []

  debug(fields: object, message: string): void {
    this.#keep('debug', fields, message)
  }

  info(fields: object, message: string): void {
    this.#keep('info', fields, message)
  }

  warn(fields: object, message: string): void {
    this.#keep('warn', fields, message)
  }

  error(fields: object, message: string): void {
    this.#keep('error', fields, message)
  }

  /** The lines whose message matches. */
  of(pattern: RegExp): Line[] {
    return this.lines.filter(({ message }) => pattern.test(message))
  }

  #keep(level: keyof Logger, fields: object, message: string): void {
    this.lines.push({ level, fields: { ...fields }, message })
  }
}
