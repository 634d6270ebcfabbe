import type { Logger } from '../../lib/index.ts'

type Level = Exclude<keyof Logger, 'child'>

export interface Line {
  readonly level: Level
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

/** A logger that keeps what it was told. */
export class KeptLog implements Logger {
  readonly lines: Line[] = []
  /** The parts that have logged. */
  readonly components: Set<string> = new Set()

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

  /** Keeps the lines of a part with all the others, without its name in the fields. */
  child({ component }: { readonly component: string }): Logger {
    const of =
      (level: Level) =>
      (fields: object, message: string): void => {
        this.components.add(component)
        this.#keep(level, fields, message)
      }
    return { debug: of('debug'), info: of('info'), warn: of('warn'), error: of('error') }
  }

  /** The lines whose message matches. */
  of(pattern: RegExp): Line[] {
    return this.lines.filter(({ message }) => pattern.test(message))
  }

  #keep(level: Level, fields: object, message: string): void {
    this.lines.push({ level, fields: { ...fields }, message })
  }
}
