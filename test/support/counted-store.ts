import { BSON, MongoClient, type MongoClientOptions } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { type Clock, type Keys, systemClock } from '../../lib/index.ts'

/** A command that a process has sent to the database. */
export interface SentCommand {
  /** `find events`: the command and its collection. */
  readonly name: string
  readonly bytes: number
}

/** A process's own connection to the database, and its store, of which each command is counted. */
export class CountedStore {
  readonly store: MongoEventStore
  readonly sent: SentCommand[]
  readonly #client: MongoClient
  readonly #underWay: ReadonlySet<number>

  static async open(
    { uri, name }: { readonly uri: string; readonly name: string },
    keys: Keys,
    clock: Clock = systemClock,
    options: MongoClientOptions = {},
  ): Promise<CountedStore> {
    const client = await MongoClient.connect(uri, { monitorCommands: true, ...options })
    const sent: SentCommand[] = []
    const underWay = new Set<number>()
    client.on('commandStarted', ({ command, commandName, requestId }) => {
      const collection = commandName === 'getMore' ? command['collection'] : command[commandName]
      sent.push({ name: `${commandName} ${String(collection)}`, bytes: BSON.calculateObjectSize(command) })
      if (commandName !== 'getMore') underWay.add(requestId) // a change stream waits for its next change
    })
    client.on('commandSucceeded', ({ requestId }) => underWay.delete(requestId))
    client.on('commandFailed', ({ requestId }) => underWay.delete(requestId))
    const store = await MongoEventStore.open(client.db(name), { keys, clock })
    return new CountedStore(client, store, sent, underWay)
  }

  private constructor(client: MongoClient, store: MongoEventStore, sent: SentCommand[], underWay: ReadonlySet<number>) {
    this.#client = client
    this.store = store
    this.sent = sent
    this.#underWay = underWay
  }

  /** The commands that something costs. */
  async during<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly commands: readonly SentCommand[] }> {
    const before = this.sent.length
    const result = await work()
    return { result, commands: this.sent.slice(before) }
  }

  /** Resolves when no command is under way, and none follows from the answers. */
  async quiet(): Promise<void> {
    for (let turns = 0; turns < 5; turns++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#underWay.size > 0) turns = 0
    }
  }

  async close(): Promise<void> {
    await this.store.close()
    await this.#client.close()
  }
}

/** For a message: how often each command was sent. */
export function counted(commands: readonly SentCommand[]): string {
  const counts = new Map<string, number>()
  for (const { name } of commands) counts.set(name, (counts.get(name) ?? 0) + 1)
  return `${commands.length} commands: ${[...counts].map(([name, count]) => `${count} ${name}`).join(', ')}`
}
