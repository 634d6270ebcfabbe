import { type Document, Long, ObjectId } from 'mongodb'
import type { PlannedFault, Which } from './planned-fault.ts'
import { seededRandom } from './seeded-random.ts'
import type { TcpProxy } from './tcp-proxy.ts'

/**
 * How often what happens, as probabilities for each command that it may happen to. What has a probability happens for the
 * first time at one of its first few chances, so that no run shows nothing of it.
 */
export interface FailOverRates {
  /** The member is not the primary any more: it says so before it does anything, or interrupts what it has done. */
  readonly deposed: number
  /** What was written is in the primary and not known to be in the majority. */
  readonly unconfirmed: number
  /** The same, and the write is rolled back by the next primary: nothing of it is there. */
  readonly rolledBack: number
  /** The server has forgotten the cursor that is read on. */
  readonly cursorLost: number
}

/** What has happened so far. */
export type FailOverCounts = Readonly<Record<keyof FailOverRates | 'refusedByDocument', number>>

const FIRST_CHANCES = 5
const ALWAYS = Number.POSITIVE_INFINITY
const HELLO = ['hello', 'isMaster', 'ismaster']
const WRITES = ['insert', 'update', 'delete', 'findAndModify', 'bulkWrite']
const READS = ['find', 'aggregate']

/** https://www.mongodb.com/docs/manual/reference/error-codes/ */
const DEPOSED = [
  { code: 10107, codeName: 'NotWritablePrimary' },
  { code: 189, codeName: 'PrimarySteppedDown' },
  { code: 11602, codeName: 'InterruptedDueToReplStateChange' },
]
const UNCONFIRMED = [
  { code: 64, codeName: 'WriteConcernFailed' },
  { code: 91, codeName: 'ShutdownInProgress' },
]
const CURSOR_LOST = [
  { code: 43, codeName: 'CursorNotFound' },
  { code: 136, codeName: 'CappedPositionLost' },
]

/**
 * What a driver meets when the primary of a replica set changes: the proxy presents the server behind it as the only
 * member of a replica set, answers commands as a primary does that is deposed in the midst of them, and then tells of
 * another election. The same seed draws the same faults for the same order of commands.
 */
export class FailOvers {
  readonly #proxy: TcpProxy
  readonly #random: () => number
  readonly #planned = new Map<keyof FailOverCounts, PlannedFault[]>()
  #elections = 1
  #process = new ObjectId()
  /** So many questions are answered as by a member that is no primary yet. */
  #electing = 0

  constructor(proxy: TcpProxy, seed: number) {
    this.#proxy = proxy
    this.#random = seededRandom(seed)
    const member = (reply: Document): Document => this.#introduced(reply)
    proxy.answer({ command: HELLO, times: ALWAYS }, 'after', (_, reply) => member(reply))
  }

  /** An address of the replica set. The driver asks who is the primary by polling: a stream of answers has one script. */
  get uri(): string {
    return `mongodb://127.0.0.1:${this.#proxy.port}/?replicaSet=elected&serverMonitoringMode=poll`
  }

  begin({ deposed, unconfirmed, rolledBack, cursorLost }: FailOverRates): void {
    const isDrawn = (rate: number): (() => boolean) => {
      const first = Math.floor(this.#random() * FIRST_CHANCES)
      let chances = 0
      return () => rate > 0 && (chances++ === first || this.#random() < rate)
    }
    const stepDown = (): Document => {
      this.#elect()
      return { ok: 0, ...this.#one(DEPOSED), errmsg: 'scripted', topologyVersion: this.#topologyVersion }
    }
    for (const when of ['before', 'after'] as const) {
      this.#plan('deposed', { command: [...WRITES, ...READS], where: isDrawn(deposed / 2) }, when, stepDown)
    }
    this.#plan('refusedByDocument', { command: 'insert', where: isDrawn(deposed) }, 'before', (request) => {
      this.#elect()
      const documents: Document[] = request['documents']
      return { ok: 1, n: 0, writeErrors: documents.map((_, index) => ({ index, ...this.#one(DEPOSED), errmsg: 'no' })) }
    })
    const concern = (): Document => ({ ...this.#one(UNCONFIRMED), errmsg: 'scripted' })
    this.#plan('unconfirmed', { command: WRITES, where: isDrawn(unconfirmed) }, 'after', (_, reply) => ({
      ...reply,
      writeConcernError: concern(),
    }))
    const canSaySo = ['insert', 'update', 'bulkWrite']
    this.#plan('rolledBack', { command: canSaySo, where: isDrawn(rolledBack) }, 'before', (request) => {
      this.#elect()
      return { ...successOf(request), writeConcernError: concern() }
    })
    this.#plan('cursorLost', { command: 'getMore', where: isDrawn(cursorLost) }, 'before', () => ({
      ok: 0,
      ...this.#one(CURSOR_LOST),
      errmsg: 'scripted',
    }))
  }

  /** Ends the faults. The replica set stays one. */
  end(): void {
    for (const faults of this.#planned.values()) for (const fault of faults) fault.cancel()
    this.#electing = 0
  }

  get counts(): FailOverCounts {
    const counts = { deposed: 0, unconfirmed: 0, rolledBack: 0, cursorLost: 0, refusedByDocument: 0 }
    for (const [kind, faults] of this.#planned) counts[kind] = faults.reduce((sum, { count }) => sum + count, 0)
    return counts
  }

  get elections(): number {
    return this.#elections
  }

  #plan(
    kind: keyof FailOverCounts,
    which: Which,
    when: 'before' | 'after',
    script: Parameters<TcpProxy['answer']>[2],
  ): void {
    const fault = this.#proxy.answer({ ...which, times: ALWAYS }, when, script)
    this.#planned.set(kind, [...(this.#planned.get(kind) ?? []), fault])
  }

  #elect(): void {
    this.#elections += 1
    this.#process = new ObjectId()
    this.#electing = this.#random() < 0.3 ? 1 : 0
  }

  #one<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T
  }

  get #topologyVersion(): Document {
    return { processId: this.#process, counter: Long.fromNumber(this.#elections) }
  }

  #introduced(reply: Document): Document {
    const me = `127.0.0.1:${this.#proxy.port}`
    const isElecting = this.#electing > 0
    if (isElecting) this.#electing -= 1
    const { isWritablePrimary: _, ismaster: __, ...rest } = reply
    return {
      ...rest,
      ...(isElecting ? { isWritablePrimary: false, ismaster: false, secondary: true } : {}),
      ...(isElecting ? {} : { isWritablePrimary: true, ismaster: true, secondary: false, primary: me }),
      ...{ setName: 'elected', hosts: [me], me, setVersion: 1 + Math.floor(this.#elections / 4) },
      electionId: ObjectId.createFromHexString(this.#elections.toString(16).padStart(24, '0')),
      topologyVersion: this.#topologyVersion,
    }
  }
}

/** What a server answers that has carried the command out. */
function successOf(request: Document): Document {
  if (request['bulkWrite']) {
    const inserts = (request['ops'] as Document[]).filter(({ insert }) => insert !== undefined).length
    const counts = { nErrors: 0, nInserted: inserts, nMatched: 1, nModified: 1, nUpserted: 0, nDeleted: 0 }
    return { ok: 1, cursor: { id: Long.ZERO, firstBatch: [], ns: 'admin.$cmd.bulkWrite' }, ...counts }
  }
  const n = ((request['documents'] ?? request['updates']) as Document[]).length
  return request['update'] ? { ok: 1, n, nModified: n } : { ok: 1, n }
}
