import type { Document } from 'mongodb'

/** Which requests a fault meets. */
export interface Which {
  /**
   * Names of MongoDB commands. Default: every command but the driver's own housekeeping (hello, authentication, the end
   * of sessions), which comes at moments that no test controls.
   */
  readonly command?: string | readonly string[]
  /** Looks into the command, where its name does not tell enough. Default: any. */
  readonly where?: (request: Document) => boolean
  /** How many requests it meets before it is over. Default 1. */
  readonly times?: number
}

const HOUSEKEEPING: ReadonlySet<string> = new Set([
  ...['hello', 'isMaster', 'ismaster', 'ping', 'buildInfo'],
  ...['saslStart', 'saslContinue', 'endSessions', 'killCursors'],
])

export function isHousekeeping(command: string | undefined): boolean {
  return command !== undefined && HOUSEKEEPING.has(command)
}

/** A fault that waits for its requests. */
export class PlannedFault {
  /** Resolves when the fault has met all its requests. */
  readonly happened: Promise<void>
  readonly #commands: ReadonlySet<string> | undefined
  readonly #where: Which['where']
  readonly #times: number
  #claimed = 0
  #count = 0
  #resolve: () => void = () => {}

  constructor(which: Which = {}) {
    const commands = typeof which.command === 'string' ? [which.command] : which.command
    this.#commands = commands && new Set(commands)
    this.#where = which.where
    this.#times = which.times ?? 1
    this.happened = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  /** How many requests it has met. */
  get count(): number {
    return this.#count
  }

  /** Meets no more requests. */
  cancel(): void {
    this.#claimed = this.#times
  }

  /** The proxy asks: is this request one of yours? */
  claims(command: string | undefined, request: () => Document | undefined): boolean {
    if (this.#claimed >= this.#times) return false
    const named = this.#commands ? command !== undefined && this.#commands.has(command) : !isHousekeeping(command)
    const mine = named && (this.#where?.(request() ?? {}) ?? true)
    if (mine) this.#claimed += 1
    return mine
  }

  /** The proxy tells: it has happened to one of them. */
  met(): void {
    this.#count += 1
    if (this.#count === this.#times) this.#resolve()
  }
}
