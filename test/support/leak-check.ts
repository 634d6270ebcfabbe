import type { Attributes, Logger, NewSpan, Reading, Span, Telemetry } from '../../lib/index.ts'

/** A secret is found by its beginning: whoever cuts it off after that has still told too much. */
const BEGINNING = 16

/** What is shorter is nobody's secret: it would be found everywhere. */
const LEAST = 8

/** So many lines wait to be looked at; then they are. */
const WAITING = 2_000

/** So many of those that were looked at are looked at again: a secret may be known only after the line that tells it. */
const AGAIN = 500

/** No line is looked at beyond this. */
const LINE_CHARS = 50_000

/** What is secret by its shape, whoever made it. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  'a JWT': /\beyJ[\w-]{8,}\.[\w-]{8,}/,
  'a connection string with a password': /\b[a-z][a-z+]*:\/\/[^/\s:@"']+:[^/\s@"']+@/i,
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY|"d"\s*:\s*"[\w-]{20,}"/,
  'a header with credentials': /\b(?:Bearer|Basic|DPoP) [\w.~+/-]{20,}/,
}

interface Line {
  readonly text: string
  /** The test that ran. */
  readonly during: string
}

/** Knows secrets, and looks for them in all that is logged and measured. */
export class LeakCheck {
  readonly #beginnings = new Map<string, string>()
  readonly #short = new Map<string, string>()
  readonly #subjects = new Set<string>()
  #lines: Line[] = []
  #looked: Line[] = []
  /** Than when it looked last: lines of before are looked at again. */
  #knowsMore = false
  readonly #told = new Set<string>()
  readonly #leaks = new Set<string>()
  /** The title of the test that runs. */
  during = 'no test'

  /** From now on no line may hold it, nor may one of those before that are still known. */
  secret(value: unknown, what: string): void {
    if (typeof value !== 'string' || value.length < LEAST) return
    const [known, key] = value.length < BEGINNING ? [this.#short, value] : [this.#beginnings, value.slice(0, BEGINNING)]
    if (!known.has(key)) this.#knowsMore = true
    known.set(key, what)
  }

  /** The id of an account: no line may have it as a word. */
  subject(id: unknown): void {
    if (typeof id !== 'string' || id.length < 3 || this.#subjects.has(id)) return
    this.#subjects.add(id)
    this.#knowsMore = true
  }

  line(text: string): void {
    this.#lines.push({ text: text.slice(0, LINE_CHARS), during: this.during })
    if (this.#lines.length >= WAITING) this.look()
  }

  /** A line that comes again and again: looked at once. */
  lineOnce(text: string): void {
    if (this.#told.has(text)) return
    if (this.#told.size > 10_000) this.#told.clear()
    this.#told.add(text)
    this.line(text)
  }

  /** Looks at what was logged since the last time, and again at some of before. */
  look(): void {
    const lines = [...this.#looked, ...this.#lines]
    for (const { text, during } of this.#knowsMore ? lines : this.#lines) {
      const what = this.leakIn(text)
      if (what !== undefined) this.#leaks.add(`${what}, in "${during}": ${text.slice(0, 2_000)}`)
    }
    this.#looked = lines.slice(-AGAIN)
    this.#lines = []
    this.#knowsMore = false
  }

  /** What has leaked so far; from then on it is not told again. */
  take(): string[] {
    this.look()
    const leaks = [...this.#leaks]
    this.#leaks.clear()
    this.#looked = []
    return leaks
  }

  /** What of all that is secret a line holds. */
  leakIn(text: string): string | undefined {
    for (const [what, shape] of Object.entries(SHAPES)) if (shape.test(text)) return what
    for (let at = 0; at + BEGINNING <= text.length; at++) {
      const what = this.#beginnings.get(text.slice(at, at + BEGINNING))
      if (what !== undefined) return what
    }
    for (const [value, what] of this.#short) if (text.includes(value)) return what
    if (this.#subjects.size === 0) return undefined
    for (const [word] of text.matchAll(/[\w@.-]+/g)) if (this.#subjects.has(word)) return `the account ${word}`
    return undefined
  }
}

/** The one of this process. Outside of a run of the tests nobody asks it what it has found. */
export const leaks: LeakCheck = new LeakCheck()

/** A logger whose lines are looked at. */
export function checkedLogger(logger: Logger, check: LeakCheck = leaks): Logger {
  const of =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: object, message: string): void => {
      check.line(lineOf(fields, message))
      logger[level](fields, message)
    }
  return {
    ...{ debug: of('debug'), info: of('info'), warn: of('warn'), error: of('error') },
    ...(logger.child && { child: (fields) => checkedLogger(logger.child?.(fields) ?? logger, check) }),
  }
}

/** Telemetry that goes nowhere, and whose names and attributes are looked at. */
export function checkedTelemetry(check: LeakCheck = leaks): Telemetry {
  const note = (name: string, attributes: Attributes = {}): void =>
    check.lineOnce(`${name} ${JSON.stringify(attributes)}`)
  const span: Span = { set: (attributes) => note('span', attributes), fail: (type) => note('span', { type }) }
  return {
    span<T>({ name, attributes }: NewSpan, work: (span: Span) => Promise<T>): Promise<T> {
      note(name, attributes)
      return work(span)
    },
    traceparent: () => undefined,
    record: (instrument, _value, attributes) => note(instrument, attributes),
    observe(read: () => Promise<readonly Reading[]>) {
      void read
      return () => undefined
    },
  }
}

/** As loggers write it: errors with all that they hold. */
export function lineOf(fields: object, message: string): string {
  const seen = new Set<unknown>()
  const json = JSON.stringify(fields, (_key, value: unknown) => {
    if (typeof value === 'bigint') return String(value)
    if (!(value instanceof Error)) return value
    if (seen.has(value)) return '(as above)'
    seen.add(value)
    const { name, message, stack, cause } = value
    return { ...value, name, message, stack, cause }
  })
  return `${message} ${json}`
}
