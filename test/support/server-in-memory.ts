import { EventEmitter } from 'node:events'
import { type Db, type Document, MongoNetworkError, MongoServerError, MongoWriteConcernError } from 'mongodb'
import { type Change, TablesInMemory } from './tables-in-memory.ts'

/** What becomes of a command. */
export type Fate =
  | 'answered'
  /** It does not reach the server. */
  | 'lost'
  /** The server carries it out, and its answer is lost. */
  | 'answer lost'
  /** Its connection is silent; the server carries it out some commands later. */
  | 'late'
  /** The server carries it out and says that no majority has it. Some commands later one has. */
  | 'no majority'
  /** The same, and some commands later a fail-over undoes it, the counter of positions included. */
  | 'rolled back'
  /** The same, but the fail-over sets only the counter back, as far as no majority had it. */
  | 'counter rolled back'
  /** The server is no primary any more. */
  | 'not primary'
  /** The server refuses it, and will again. */
  | 'unauthorized'
  /** The server refuses it until there is room on its disk. */
  | 'disk full'

const DUPLICATE = { code: 11000, errmsg: 'E11000 duplicate key error' }
const NO_MAJORITY = { code: 64, codeName: 'WriteConcernFailed', errmsg: 'waiting for replication timed out' }

/** After so many further commands something happens that was put off. */
const LATER = 4

/** The counter of positions, as a document. */
interface Counter {
  readonly n: number
  readonly floor?: number
  readonly settled?: number
}

/** What one member of the replica set holds. */
class Replica {
  readonly events = new Map<number, Document>()
  /** Positions of documents that no majority has. */
  readonly unconfirmed = new Set<number>()
  counter: Counter | undefined
  /** Where the counter was when a majority had it last. */
  confirmed = 0
  tables = new TablesInMemory()

  fork(): Replica {
    const copy = new Replica()
    for (const [position, document] of this.events) copy.events.set(position, document)
    for (const position of this.unconfirmed) copy.unconfirmed.add(position)
    copy.counter = this.counter
    copy.confirmed = this.confirmed
    copy.tables = this.tables.fork()
    return copy
  }
}

/** A change of a document in a table, by a command of a client to the primary. */
export interface TableChange extends Change {
  readonly table: string
  readonly client: number
}

/**
 * What a log asks of MongoDB, in memory and on no clock: the unique indexes of `events`, the counter of positions, what a
 * majority has and what it has not, tables. The fate of each command is the test's to decide.
 */
export class ServerInMemory {
  #primary = new Replica()
  /** A former primary that does not know it yet, and what a majority had when it lost touch. */
  #former: { readonly replica: Replica; readonly majority: Replica } | undefined
  /** Clients that still believe in the former primary. */
  readonly #stranded = new Set<number>()
  readonly #putOff: { left: number; readonly happen: () => void }[] = []
  readonly #clients: { readonly emitter: EventEmitter; election: number }[] = []
  #elections = 1
  /** By name: `insert`, `findAndModify`, `bulkWrite`, `find`, `aggregate`, `update`, `delete`, `hello`, `listIndexes`. */
  readonly commands: string[] = []
  /** Called with each command before it is sent; `client` counts those who have taken `db`, from 0. */
  fateOf: (command: string, body: Document, client: number) => Fate = () => 'answered'
  /** How often a fail-over has set the counter of positions back. */
  setBacks = 0
  /** What retention has removed, in this order. */
  readonly removed: Document[] = []
  /** Indexes of `events`, as the server lists them. */
  indexes: readonly Document[] = []
  /** What the server's clock says, in milliseconds since 1970. */
  time: number | undefined
  /** What a unique index refuses that is not the log's. */
  refuses: (document: Document) => boolean = () => false
  /** What a rule of the database refuses for good. */
  forbids: (document: Document) => boolean = () => false
  /** How long a command takes until it is carried out, and how long its answer. */
  takes: (command: string, client: number) => Promise<void> = async () => {}
  answers: (command: string, client: number) => Promise<void> = async () => {}
  /** Called with the number of documents of the log in each answer. */
  onFound: (documents: number) => void = () => {}
  /** Called with each document that a fail-over undoes, before anybody learns of it. */
  onUndone: (document: Document) => void = () => {}
  /** Called with each change of a table at the primary. */
  onTableChanged: (change: TableChange) => void = () => {}

  /** What the store takes for the driver's database. */
  get db(): Db {
    const nth = this.#clients.length
    const command = (body: Document, { signal }: { signal?: AbortSignal } = {}): Promise<Document> =>
      this.#command(nth, body, signal)
    const collection = (name: string, options: Document = {}) => this.#collection(nth, name, options)
    const emitter = new EventEmitter()
    const client = Object.assign(emitter, { db: () => ({ command }) })
    this.#clients.push({ emitter, election: this.#elections })
    return { databaseName: 'log', client, command, collection } as unknown as Db
  }

  /**
   * Another one becomes the primary. All clients learn of it at once, except for those that are named: they stay with the
   * former one until `rejoin()`. It answers what they read from what it has; what they write there no majority ever has.
   */
  failOver(stranded: readonly number[] = []): void {
    this.rejoin()
    if (stranded.length > 0) {
      this.#former = { replica: this.#primary, majority: this.#primary.fork() }
      this.#primary = this.#primary.fork()
    }
    this.#elections++
    for (const client of stranded) this.#stranded.add(client)
    for (const nth of this.#clients.keys()) if (!this.#stranded.has(nth)) this.#learn(nth)
  }

  /** Those who believe in a former primary learn who it is now. */
  rejoin(): void {
    const late = [...this.#stranded]
    this.#stranded.clear()
    this.#former = undefined
    for (const client of late) this.#learn(client)
  }

  /** Whether somebody believes in a former primary. */
  get hasStranded(): boolean {
    return this.#stranded.size > 0
  }

  /** The client learns who the primary is. */
  #learn(nth: number): void {
    const client = this.#clients[nth]
    if (!client || client.election === this.#elections) return
    const previousDescription = topologyOf(client.election)
    client.election = this.#elections
    client.emitter.emit('topologyDescriptionChanged', {
      previousDescription,
      newDescription: topologyOf(this.#elections),
    })
  }

  /** All documents of a table at the primary. */
  table(name: string): readonly Document[] {
    return this.#primary.tables.documents(name)
  }

  /** The document of a table at the primary. */
  row(table: string, id: unknown): Document | undefined {
    return this.#primary.tables.get(table, id)
  }

  /** All documents of the log, whether a majority has them or not, by position. */
  get documents(): readonly Document[] {
    return byPosition(this.#primary)
  }

  /** Positions at or below it may have been removed. */
  get floor(): number {
    return this.#primary.counter?.floor ?? 0
  }

  /** What was put off happens now. */
  catchUp(): void {
    for (const { happen } of this.#putOff.splice(0)) happen()
  }

  /** Takes a position away from writers, as one does that stands still between its two commands. */
  skipPosition(): number {
    const n = (this.#primary.counter?.n ?? 0) + 1
    this.#primary.counter = { ...this.#primary.counter, n }
    this.#primary.confirmed = n
    return n
  }

  /** Positions up to this one are retired. */
  retire(floor: number): void {
    const { events, counter } = this.#primary
    this.#primary.counter = { n: 0, ...counter, floor }
    for (const position of events.keys()) if (position <= floor) events.delete(position)
  }

  /** Puts a document there, as others than this package may. */
  put(document: Document): void {
    this.#primary.events.set(document['_id'], document)
  }

  #command(client: number, body: Document, signal: AbortSignal | undefined): Promise<Document> {
    const [name = ''] = Object.keys(body)
    const table: string = body[name]
    const isTable = table !== 'events' && table !== 'counters'
    return this.#send(client, name, body, signal, (replica) => {
      switch (name) {
        case 'insert':
          return isTable
            ? this.#changed(client, table, replica, replica.tables.insert(table, body['documents']))
            : this.#insert(replica, body['documents'])
        case 'bulkWrite':
          return this.#bulkWrite(replica, body['ops'])
        case 'findAndModify':
          return isTable
            ? this.#changed(client, table, replica, replica.tables.findAndModify(table, body))
            : allocate(replica, body['update'])
        case 'update':
          return isTable
            ? this.#changed(client, table, replica, replica.tables.update(table, body['updates']))
            : raiseMark(replica, body['updates'])
        case 'delete':
          return isTable
            ? this.#changed(client, table, replica, replica.tables.delete(table, body['deletes']))
            : this.#delete(replica, body['deletes'])
        case 'find':
          return { ok: 1, cursor: { id: 0n, firstBatch: this.#find(client, body) } }
        case 'hello':
          return { ok: 1, ...(this.time !== undefined && { localTime: new Date(this.time) }) }
        case 'listIndexes':
          return { ok: 1, cursor: { firstBatch: this.indexes } }
        default:
          throw new Error(`${name} is not known to this server`)
      }
    })
  }

  async #send<T>(
    client: number,
    name: string,
    body: Document,
    signal: AbortSignal | undefined,
    carryOut: (replica: Replica) => T,
  ): Promise<T> {
    this.commands.push(name)
    for (const one of [...this.#putOff]) {
      one.left -= 1
      if (one.left > 0) continue
      this.#putOff.splice(this.#putOff.indexOf(one), 1)
      one.happen()
    }
    await this.takes(name, client)
    const fate = this.fateOf(name, body, client)
    if (fate === 'lost') throw new MongoNetworkError('connection closed')
    if (fate === 'not primary') throw new MongoServerError({ code: 10107, errmsg: 'not primary' })
    if (fate === 'unauthorized') throw new MongoServerError({ code: 13, errmsg: 'not authorized' })
    if (fate === 'disk full') throw new MongoServerError({ code: 14031, errmsg: 'no space left' })
    if (fate === 'late') {
      this.#putOff.push({ left: LATER, happen: () => confirm(this.#primary, () => carryOut(this.#primary)) })
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    }
    const reply = READS.has(name)
      ? { answer: carryOut(this.#replicaOf(client)), isConfirmed: true }
      : this.#write(client, fate, carryOut)
    await this.answers(name, client)
    if (fate === 'answer lost') throw new MongoNetworkError('connection closed')
    if (!reply.isConfirmed)
      throw new MongoWriteConcernError({ ...reply.answer, ok: 1, writeConcernError: NO_MAJORITY } as never)
    return reply.answer
  }

  #replicaOf(client: number): Replica {
    return this.#former && this.#stranded.has(client) ? this.#former.replica : this.#primary
  }

  #write<T>(client: number, fate: Fate, carryOut: (replica: Replica) => T): { answer: T; isConfirmed: boolean } {
    const replica = this.#replicaOf(client)
    if (replica !== this.#primary) return { answer: carryOut(replica), isConfirmed: false }
    if (fate !== 'no majority' && fate !== 'rolled back' && fate !== 'counter rolled back')
      return { answer: confirm(replica, () => carryOut(replica)), isConfirmed: true }
    const before = { positions: new Set(replica.events.keys()), n: replica.counter?.n ?? 0 }
    const answer = carryOut(replica)
    this.#leaveUnconfirmed(before, fate)
    return { answer, isConfirmed: false }
  }

  /** No majority has what is there and was not before, until it has, or a fail-over undoes it. */
  #leaveUnconfirmed(before: { readonly positions: ReadonlySet<number>; readonly n: number }, fate: Fate): void {
    const mine = [...this.#primary.events.keys()].filter((position) => !before.positions.has(position))
    for (const position of mine) this.#primary.unconfirmed.add(position)
    if (fate === 'no majority')
      this.#primary.confirmed = Math.max(this.#primary.confirmed, this.#primary.counter?.n ?? 0)
    const happen = (): void => {
      const { events, unconfirmed, counter, confirmed } = this.#primary
      for (const position of mine) {
        unconfirmed.delete(position)
        const undone = events.get(position)
        if (fate !== 'rolled back' || !undone) continue
        events.delete(position)
        this.onUndone(undone)
      }
      if (fate === 'no majority') return
      // What was acknowledged since had to have what came before it.
      const n = Math.max(before.n, confirmed)
      if (counter && counter.n > n) {
        this.#primary.counter = { ...counter, n }
        this.setBacks += 1
      }
      this.failOver()
    }
    this.#putOff.push({ left: LATER, happen })
  }

  #changed(
    client: number,
    table: string,
    replica: Replica,
    { reply, changes }: { readonly reply: Document; readonly changes: readonly Change[] },
  ): Document {
    if (replica === this.#primary) for (const change of changes) this.onTableChanged({ table, client, ...change })
    return reply
  }

  #insertOne({ events }: Replica, document: Document): boolean {
    const position = Number(document['_id'])
    const claims: readonly string[] = document['k'] ?? []
    if (events.has(position) || this.refuses(document)) return false
    if (claims.length > 0)
      for (const { k } of events.values()) if (claims.some((claim) => k?.includes(claim))) return false
    events.set(position, { ...document, _id: position })
    return true
  }

  #insert(replica: Replica, documents: readonly Document[]): Document {
    const writeErrors = documents.flatMap((document, index) => {
      if (this.forbids(document)) return [{ index, code: 121, errmsg: 'Document failed validation' }]
      return this.#insertOne(replica, document) ? [] : [{ index, ...DUPLICATE }]
    })
    return { ok: 1, n: documents.length - writeErrors.length, ...(writeErrors.length > 0 && { writeErrors }) }
  }

  /** The fast path's: the counter, if it is where the writer believes it, then the documents, until one fails. */
  #bulkWrite(replica: Replica, [moved, ...inserts]: readonly Document[]): Document {
    const stopped = (idx: number, nInserted: number): Document => ({
      ok: 1,
      nInserted,
      cursor: { id: 0, firstBatch: [{ ok: 0, idx, ...DUPLICATE }] },
    })
    const { counter } = replica
    if (counter && counter.n !== Number(moved?.['filter'].n)) return stopped(0, 0)
    replica.counter = { ...counter, n: Number(moved?.['updateMods'].$set.n) }
    for (const [index, { document }] of inserts.entries())
      if (!this.#insertOne(replica, document)) return stopped(index + 1, index)
    return { ok: 1, nInserted: inserts.length, cursor: { id: 0, firstBatch: [] } }
  }

  /** In order, each of them one document, or tombstones of a range. */
  #delete(replica: Replica, deletes: readonly Document[]): Document {
    let n = 0
    for (const { q } of deletes) {
      for (const document of byPosition(replica).filter(matcher(q))) {
        replica.events.delete(document['_id'])
        if (replica === this.#primary) this.removed.push(document)
        n += 1
      }
    }
    return { ok: 1, n }
  }

  /** By position, which is the only order that a log asks for; newest first where it asks for that. */
  #find(client: number, body: Document): Document[] {
    const { find, filter = {}, sort, limit, readConcern } = body
    const isMajority = readConcern?.level === 'majority'
    const isStranded = this.#former !== undefined && this.#stranded.has(client)
    const replica = isStranded && isMajority ? (this.#former?.majority ?? this.#primary) : this.#replicaOf(client)
    if (find !== 'counters' && find !== 'events') return replica.tables.find(find, body)
    if (find === 'counters')
      return replica.counter && matches(COUNTER, filter) ? [{ ...COUNTER, ...replica.counter }] : []
    const found: Document[] = []
    const isFound = matcher(filter)
    for (const document of replica.events.values())
      if (isFound(document) && !(isMajority && replica.unconfirmed.has(document['_id']))) found.push(document)
    const order = sort?._id === -1 ? -1 : 1
    const answer = found.sort((a, b) => order * (a['_id'] - b['_id'])).slice(0, limit)
    this.onFound(answer.length)
    return answer
  }

  #collection(client: number, name: string, { readConcern }: Document): object {
    const find = (filter: Document = {}, { signal, ...more }: Document & { signal?: AbortSignal } = {}) => {
      const body: Document = { find: name, filter, readConcern, ...more }
      const cursor = {
        sort: (sort: Document) => {
          body['sort'] = sort
          return cursor
        },
        toArray: () => this.#send(client, 'find', body, signal, () => this.#find(client, body)),
      }
      return cursor
    }
    return {
      find,
      async findOne(filter: Document = {}, options: Document & { signal?: AbortSignal } = {}) {
        const [first] = await find(filter, { ...options, limit: 1 }).toArray()
        return first ?? null
      },
      aggregate: (pipeline: readonly Document[], { signal }: { signal?: AbortSignal } = {}) => ({
        toArray: () =>
          this.#send(client, 'aggregate', { aggregate: name, pipeline }, signal, ({ tables }) =>
            tables.aggregate(name, pipeline),
          ),
      }),
    }
  }
}

/** Commands that change nothing. */
const READS: ReadonlySet<string> = new Set(['find', 'aggregate', 'hello', 'listIndexes'])

const COUNTER = { _id: 'events' }

function topologyOf(electionId: number): object {
  const primary = { address: 'database:27017', type: 'RSPrimary', electionId }
  return { servers: new Map([[primary.address, primary]]) }
}

function byPosition({ events }: Replica): readonly Document[] {
  return [...events.values()].sort((a, b) => a['_id'] - b['_id'])
}

/** Carries out what a majority gets. */
function confirm<T>(replica: Replica, carryOut: () => T): T {
  const before = replica.counter?.n
  const answer = carryOut()
  const n = replica.counter?.n
  if (n !== undefined && n !== before) replica.confirmed = Math.max(replica.confirmed, n)
  return answer
}

function allocate(replica: Replica, stages: readonly Document[]): Document {
  const [{ $max }, size] = stages[0]?.['$set'].n.$add ?? []
  const { counter } = replica
  replica.counter = { ...counter, n: Math.max(counter?.n ?? 0, Number($max[1])) + Number(size) }
  return { ok: 1, value: { ...COUNTER, ...replica.counter } }
}

function raiseMark(replica: Replica, [update]: readonly Document[]): Document {
  const { settled = 0, floor = 0 } = update?.['u']?.$max ?? {}
  const before = { n: 0, settled: 0, floor: 0, ...replica.counter }
  replica.counter = {
    ...before,
    settled: Math.max(Number(settled), before.settled),
    floor: Math.max(Number(floor), before.floor),
  }
  return { ok: 1, n: 1 }
}

function matches(document: Document, filter: Document): boolean {
  return matcher(filter)(document)
}

/** Looks into the filter once, for however many documents. */
function matcher(filter: Document): (document: Document) => boolean {
  const tests = Object.entries(filter).map(([field, wanted]) => testOf(field, wanted))
  return (document) => tests.every((test) => test(document))
}

function testOf(field: string, wanted: unknown): (document: Document) => boolean {
  const number = (value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value)
  if (field === '$or') {
    const any = (wanted as Document[]).map(matcher)
    return (document) => any.some((one) => one(document))
  }
  const has = (document: Document, value: unknown): boolean => {
    const own = document[field]
    return Array.isArray(own) ? own.includes(value) : own === value
  }
  const { $in, $gt, $gte, $lte = Number.POSITIVE_INFINITY, $size } = (wanted ?? {}) as Document
  if ($in) {
    const values = $in.map(number)
    return (document) => values.some((value: unknown) => has(document, value))
  }
  if ($size !== undefined) return (document) => (Array.isArray(document[field]) ? document[field].length : 1) === $size
  const first = (document: Document): number =>
    Number(Array.isArray(document[field]) ? document[field][0] : document[field])
  const most = Number($lte)
  if ($gt !== undefined) return (document) => first(document) > Number($gt) && first(document) <= most
  if ($gte !== undefined) return (document) => first(document) >= Number($gte) && first(document) <= most
  const value = number(wanted)
  return (document) => has(document, value)
}
