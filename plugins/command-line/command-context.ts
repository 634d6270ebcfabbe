import type { Command } from 'commander'
import type { EventStore } from '../../lib/index.ts'
import { type Connection, type ConnectionOptions, connect, issuerOf } from './connection.ts'
import { type ExitCode, UsageError } from './exit-codes.ts'
import { assertKnownIssuer } from './known-issuer.ts'
import { confirm, Output, type Terminal } from './terminal.ts'

/** Options that every command takes. */
export interface GlobalOptions extends ConnectionOptions {
  readonly json?: boolean
}

/** What a command works with. */
export interface CommandContext {
  readonly terminal: Terminal
  readonly output: Output
  /** Opens the store, and closes it when the command is done. Refused where nothing in it is of the issuer that was asked for. */
  withStore<T>(work: (store: EventStore, connection: Connection) => Promise<T>): Promise<T>
  /** Opens the store, and makes it where there is none yet; closes it again. */
  makeStore(): Promise<Connection>
  /** The issuer that the command is about. @throws UsageError */
  issuer(): string
  /** The same, where one is named. @throws UsageError */
  issuerIfNamed(): string | undefined
  /** Asks before something that cannot be undone. @throws NotConfirmed */
  confirm(what: string, isConfirmed: boolean | undefined): Promise<void>
  /** The command was carried out, and the process is to end with this code. */
  endWith(code: ExitCode): void
}

/** Registers commands. */
export type Register = (program: Command, context: () => CommandContext) => void

export function commandContext(
  terminal: Terminal,
  options: GlobalOptions,
  endWith: (code: ExitCode) => void,
): CommandContext {
  let asked: string | undefined
  const issuerIfNamed = (): string | undefined => {
    asked = issuerOf(options, terminal)
    return asked
  }
  return {
    terminal,
    output: new Output(terminal, options.json ?? false),
    endWith,
    issuerIfNamed,
    issuer() {
      const issuer = issuerIfNamed()
      if (issuer === undefined)
        throw new UsageError(
          'which issuer? --issuer https://op.example.com, or EVENTSTORE_ISSUER: as the provider has it',
        )
      return issuer
    },
    confirm: (what, isConfirmed) => confirm(terminal, what, isConfirmed ?? false),
    async makeStore() {
      const connection = await connect(options, terminal, { mayMake: true })
      await connection.close()
      return connection
    },
    async withStore(work) {
      const connection = await connect(options, terminal)
      try {
        if (asked !== undefined) await assertKnownIssuer(connection.store, asked)
        return await work(connection.store, connection)
      } finally {
        await connection.close()
      }
    },
  }
}
