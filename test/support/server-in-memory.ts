import { EventEmitter } from 'node:events'
import { type Db, type Document, MongoNetworkError, MongoServerError, MongoWriteConcernError } from 'mongodb'

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
  /** The same, and some commands later a fail-over undoes it. */
  | 'rolled back'
  /** The server is no primary any more. */
  | 'not primary'
  /** The server refuses it, and will again. */
  | 'unauthorized'

const DUPLICATE = { code: 11000, errmsg: 'E11000 duplicate key error' }
const NO_MAJORITY = { code: 64, codeName: 'WriteConcernFailed', errmsg: 'waiting for replication timed out' }

/** After so many further commands something happens that was put off. */
const LATER = 4

/**
 * What a log asks of MongoDB, in memory and on no clock: the unique indexes of `events`, the counter of positions, what a
 * majority has and what it has not. The fate of each command is the test's to decide.
 */
export class ServerInMemory {
  readonly #events = new Map<number, Document>()
  /** Positions of documents that no majority has. */
  readonly #unconfirmed = new Set<number>()
  readonly #putOff: { left: number; readonly happen: () => void }[] = []
  readonly #clients: EventEmitter[] = []
  #elections = 1
  #counter: { n: number; floor?: number; settled?: number } | undefined
  /** By name: `insert`, `findAndModify`, `bulkWrite`, `find`, `update`, `delete`, `hello`, `listIndexes`. */
  readonly commands: string[] = []
  /** Called with each command before it is sent; `client` counts those who have taken `db`, from 0. */
  fateOf: (command: string, body: Document, client: number) => Fate = () => 'answered'
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
  answers: (command: string) => Promise<void> = async () => {}
  /** Called with the number of documents of the log in each answer. */
  onFound: (documents: number) => void = () => {}
  /** Called with each document that a fail-over undoes, before anybody learns of it. */
  onUndone: (document: Document) => void = () => {}

  /** What the store takes for the driver's database. */
  get db(): Db {
    const nth = this.#clients.length
    const command = (body: Document, { signal }: { signal?: AbortSignal } = {}): Promise<Document> =>
      this.#command(nth, body, signal)
    const collection = (name: string, options: Document = {}) => this.#collection(nth, name, options)
    const client = Object.assign(new EventEmitter(), { db: () => ({ command }) })
    this.#clients.push(client)
    return { databaseName: 'log', client, command, collection } as unknown as Db
  }

  /** Another one becomes the primary, and all clients learn of it. */
  failOver(): void {
    const previousDescription = this.#topology()
    this.#elections++
    for (const client of this.#clients)
      client.emit('topologyDescriptionChanged', { previousDescription, newDescription: this.#topology() })
  }

  #topology(): object {
    const primary = { address: 'database:27017', type: 'RSPrimary', electionId: this.#elections }
    return { servers: new Map([[primary.address, primary]]) }
  }

  /** All documents of the log, whether a majority has them or not, by position. */
  get documents(): readonly Document[] {
    return [...this.#events.values()].sort((a, b) => a['_id'] - b['_id'])
  }

  /** Positions at or below it may have been removed. */
  get floor(): number {
    return this.#counter?.floor ?? 0
  }

  /** What was put off happens now. */
  catchUp(): void {
    for (const { happen } of this.#putOff.splice(0)) happen()
  }

  /** Takes a position away from writers, as one does that stands still between its two commands. */
  skipPosition(): number {
    this.#counter = { ...this.#counter, n: (this.#counter?.n ?? 0) + 1 }
    return this.#counter.n
  }

  /** Positions up to this one are retired. */
  retire(floor: number): void {
    this.#counter = { n: 0, ...this.#counter, floor }
    for (const position of this.#events.keys()) if (position <= floor) this.#events.delete(position)
  }

  /** Puts a document there, as others than this package may. */
  put(document: Document): void {
    this.#events.set(document['_id'], document)
  }

  #command(client: number, body: Document, signal: AbortSignal | undefined): Promise<Document> {
    const [name = ''] = Object.keys(body)
    return this.#send(client, name, body, signal, () => {
      switch (name) {
        case 'insert':
          return this.#insert(body['documents'])
        case 'bulkWrite':
          return this.#bulkWrite(body['ops'])
        case 'findAndModify':
          return this.#allocate(body['update'])
        case 'update':
          return this.#raiseMark(body['updates'])
        case 'delete':
          return this.#delete(body['deletes'])
        case 'find':
          return { ok: 1, cursor: { id: 0n, firstBatch: this.#find(body) } }
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
    carryOut: () => T,
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
    const isWrite = name !== 'find' && name !== 'listIndexes'
    if (fate === 'lost') throw new MongoNetworkError('connection closed')
    if (fate === 'not primary') throw new MongoServerError({ code: 10107, errmsg: 'not primary' })
    if (fate === 'unauthorized') throw new MongoServerError({ code: 13, errmsg: 'not authorized' })
    if (fate === 'late') {
      this.#putOff.push({ left: LATER, happen: carryOut })
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    }
    const isUnconfirmed = isWrite && (fate === 'no majority' || fate === 'rolled back')
    const before = isUnconfirmed ? new Set(this.#events.keys()) : undefined
    const reply = carryOut()
    if (before) this.#leaveUnconfirmed(before, fate === 'rolled back')
    await this.answers(name)
    if (fate === 'answer lost') throw new MongoNetworkError('connection closed')
    if (before) throw new MongoWriteConcernError({ ...reply, ok: 1, writeConcernError: NO_MAJORITY } as never)
    return reply
  }

  /** No majority has what is there and was not before, until it has, or a fail-over undoes it. */
  #leaveUnconfirmed(before: ReadonlySet<number>, isUndone: boolean): void {
    const mine = [...this.#events.keys()].filter((position) => !before.has(position))
    for (const position of mine) this.#unconfirmed.add(position)
    const happen = (): void => {
      for (const position of mine) {
        this.#unconfirmed.delete(position)
        const undone = this.#events.get(position)
        if (!isUndone || !undone) continue
        this.#events.delete(position)
        this.onUndone(undone)
      }
      if (isUndone) this.failOver()
    }
    this.#putOff.push({ left: LATER, happen })
  }

  #insertOne(document: Document): boolean {
    const position = Number(document['_id'])
    const claims: readonly string[] = document['k'] ?? []
    const isHeld = [...this.#events.values()].some(({ k = [] }) => claims.some((claim) => k.includes(claim)))
    if (this.#events.has(position) || isHeld || this.refuses(document)) return false
    this.#events.set(position, { ...document, _id: position })
    return true
  }

  #insert(documents: readonly Document[]): Document {
    const writeErrors = documents.flatMap((document, index) => {
      if (this.forbids(document)) return [{ index, code: 121, errmsg: 'Document failed validation' }]
      return this.#insertOne(document) ? [] : [{ index, ...DUPLICATE }]
    })
    return { ok: 1, n: documents.length - writeErrors.length, ...(writeErrors.length > 0 && { writeErrors }) }
  }

  /** The fast path's: the counter, if it is where the writer believes it, then the documents, until one fails. */
  #bulkWrite([counter, ...inserts]: readonly Document[]): Document {
    const stopped = (idx: number, nInserted: number): Document => ({
      ok: 1,
      nInserted,
      cursor: { id: 0, firstBatch: [{ ok: 0, idx, ...DUPLICATE }] },
    })
    if (this.#counter && this.#counter.n !== Number(counter?.['filter'].n)) return stopped(0, 0)
    this.#counter = { ...this.#counter, n: Number(counter?.['updateMods'].$set.n) }
    for (const [index, { document }] of inserts.entries())
      if (!this.#insertOne(document)) return stopped(index + 1, index)
    return { ok: 1, nInserted: inserts.length, cursor: { id: 0, firstBatch: [] } }
  }

  #allocate(stages: readonly Document[]): Document {
    const [{ $max }, size] = stages[0]?.['$set'].n.$add ?? []
    this.#counter = { ...this.#counter, n: Math.max(this.#counter?.n ?? 0, Number($max[1])) + Number(size) }
    return { ok: 1, value: { _id: 'events', ...this.#counter } }
  }

  #raiseMark([update]: readonly Document[]): Document {
    const { settled = 0, floor = 0 } = update?.['u']?.$max ?? {}
    const before = { n: 0, settled: 0, floor: 0, ...this.#counter }
    this.#counter = {
      ...before,
      settled: Math.max(Number(settled), before.settled),
      floor: Math.max(Number(floor), before.floor),
    }
    return { ok: 1, n: 1 }
  }

  /** In order, each of them one document, or tombstones of a range. */
  #delete(deletes: readonly Document[]): Document {
    let n = 0
    for (const { q } of deletes) {
      for (const document of this.documents.filter((one) => matches(one, q))) {
        this.#events.delete(document['_id'])
        this.removed.push(document)
        n += 1
      }
    }
    return { ok: 1, n }
  }

  /** By position, which is the only order that a log asks for; newest first where it asks for that. */
  #find({ find, filter = {}, sort, limit, readConcern }: Document): Document[] {
    const isMajority = readConcern?.level === 'majority'
    const seen: readonly Document[] =
      find === 'counters'
        ? this.#counter
          ? [{ _id: 'events', ...this.#counter }]
          : []
        : this.documents.filter(({ _id }) => !isMajority || !this.#unconfirmed.has(_id))
    const found = seen.filter((document) => matches(document, filter))
    const answer = (sort?._id === -1 ? found.reverse() : found).slice(0, limit)
    if (find === 'events') this.onFound(answer.length)
    return answer
  }

  #collection(client: number, name: string, { readConcern }: Document): object {
    const find = (filter: Document = {}, { signal, ...more }: Document & { signal?: AbortSignal } = {}) => {
      const body = { find: name, filter, readConcern, ...more }
      const cursor = {
        sort: () => cursor,
        toArray: () => this.#send(client, 'find', body, signal, () => this.#find(body)),
      }
      return cursor
    }
    return {
      find,
      async findOne(filter: Document = {}, options: Document & { signal?: AbortSignal } = {}) {
        const [first] = await find(filter, { ...options, limit: 1 }).toArray()
        return first ?? null
      },
    }
  }
}

function matches(document: Document, filter: Document): boolean {
  return Object.entries(filter).every(([field, wanted]) => {
    if (field === '$or') return wanted.some((one: Document) => matches(document, one))
    const own: unknown[] = Array.isArray(document[field]) ? document[field] : [document[field]]
    if (wanted?.$in)
      return wanted.$in.some((value: unknown) => own.includes(typeof value === 'bigint' ? Number(value) : value))
    const { $gt, $gte, $lte = Number.POSITIVE_INFINITY, $size } = wanted ?? {}
    if ($size !== undefined) return own.length === $size
    if ($gt !== undefined) return Number(own[0]) > Number($gt) && Number(own[0]) <= Number($lte)
    if ($gte !== undefined) return Number(own[0]) >= Number($gte) && Number(own[0]) <= Number($lte)
    return own.includes(typeof wanted === 'bigint' ? Number(wanted) : wanted)
  })
}
