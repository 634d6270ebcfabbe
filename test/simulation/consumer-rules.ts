import type { Document } from 'mongodb'
import type { ServerInMemory, TableChange } from '../support/server-in-memory.ts'

/** A holder whose sign of life stood still for so long may lose what it holds, in milliseconds. */
const SILENT_MS = 10_000

/** Finished work is kept for so long, in milliseconds. */
const KEPT_MS = 24 * 3_600_000

/** What the rules look at. */
export interface Observed {
  readonly server: ServerInMemory
  /** The name of the work table. */
  readonly table: string
  /** Milliseconds that have passed, for everybody. */
  readonly now: () => number
  /** What the database's clock says, milliseconds since 1970. */
  readonly time: () => number
  /** The ids of the rows that a position of the log is to have. */
  readonly effectsOf: (position: number) => readonly string[]
}

/**
 * Looks at every change of leases, signs of life and work in the database, and remembers the first that must not be:
 *
 * - a checkpoint is never beyond the effects of what lies below it, and never goes back
 * - a lease is taken only from who did nothing with it for as long as it lasts, and who has lost it moves nothing
 * - a row is made once, goes from hand to hand only by being given back or freed, and is finished by who holds it
 * - work of a holder is freed by others only when its sign of life stood still
 * - finished work is kept for a day
 */
export class ConsumerRules {
  readonly #observed: Observed
  /** Who took the lease last, as a client of the server, and when the lease was changed last. */
  #leaseOf: number | undefined
  #leaseAt: number = Number.NEGATIVE_INFINITY
  /** By row: who claimed it last, as a client of the server. */
  readonly #claimedBy = new Map<string, number>()
  readonly #made = new Set<string>()
  /** By holder: whose it is, as a client of the server, and when its sign of life changed last. */
  readonly #signs = new Map<string, { readonly client: number; readonly at: number }>()
  /** Holders whose sign of life once stood still, or was taken away. */
  readonly #silent = new Set<string>()
  /** What must not be, if it was. */
  broken: string | undefined
  takeOvers = 0
  /** Rows that were freed by others than who held them. */
  freed = 0

  constructor(observed: Observed) {
    this.#observed = observed
    observed.server.onTableChanged = (change) => this.#look(change)
  }

  #look({ table, client, before, after }: TableChange): void {
    if (table === 'consumers' && after) this.#lookAtLease(client, before, after)
    else if (table === 'liveness' && after) this.#lookAtSigns(client, before, after)
    else if (table === this.#observed.table) this.#lookAtRow(client, before, after)
  }

  #lookAtLease(client: number, before: Document | undefined, after: Document): void {
    const position = before?.['position'] ?? 0
    if (after['position'] < position) this.#break(`the checkpoint goes back from ${position} to ${after['position']}`)
    if (after['position'] > position) this.#assertEffects(after['position'])
    if (after['holder'] !== undefined && after['token'] === before?.['token'] && after['holder'] === before?.['holder'])
      this.#assertLease(client, 'moves the checkpoint')
    else if (before?.['holder'] !== undefined && after['holder'] === undefined)
      this.#assertLease(client, 'gives the lease up')
    else if (after['holder'] !== undefined) this.#lookAtTaking(client, before)
    this.#leaseAt = this.#observed.now()
  }

  /** From nobody, from itself, or from somebody of whom nothing was heard for as long as a lease. */
  #lookAtTaking(client: number, before: Document | undefined): void {
    if (before?.['holder'] !== undefined && client !== this.#leaseOf) {
      this.takeOvers += 1
      if (this.#observed.now() - this.#leaseAt < SILENT_MS)
        this.#break(`p${client} takes the lease from p${this.#leaseOf}, which has just changed it`)
    }
    this.#leaseOf = client
  }

  #assertLease(client: number, does: string): void {
    if (client !== this.#leaseOf) this.#break(`p${client} ${does}, and has lost the lease to p${this.#leaseOf}`)
  }

  #assertEffects(position: number): void {
    const { server, table, effectsOf } = this.#observed
    for (const { _id, e } of server.documents) {
      if (_id > position || e.length === 0) continue
      const missing = effectsOf(_id).find((id) => !server.row(table, id))
      if (missing) this.#break(`the checkpoint is at ${position}, and ${missing} was not made`)
    }
  }

  #lookAtSigns(client: number, before: Document | undefined, after: Document): void {
    const [was, is]: [Document, Document] = [before?.['beats'] ?? {}, after['beats'] ?? {}]
    for (const holder of Object.keys(was)) {
      if (holder in is) continue
      if (client !== this.#signs.get(holder)?.client && !this.#isSilent(holder))
        this.#break(`p${client} takes ${holder} for dead, which has just shown that it lives`)
      this.#silent.add(holder)
    }
    for (const holder of Object.keys(is)) {
      if (is[holder] === was[holder]) continue
      if (this.#isSilent(holder)) this.#silent.add(holder)
      this.#signs.set(holder, { client, at: this.#observed.now() })
    }
  }

  #isSilent(holder: string): boolean {
    const sign = this.#signs.get(holder)
    return sign !== undefined && this.#observed.now() - sign.at >= SILENT_MS
  }

  #lookAtRow(client: number, before: Document | undefined, after: Document | undefined): void {
    const id = String((after ?? before)?.['_id'])
    const [was, is] = [before?.['state'], after?.['state']]
    if (before === undefined) {
      if (this.#made.has(id)) this.#break(`${id} is made again`)
      this.#made.add(id)
      if (is !== 'waiting') this.#break(`${id} is made as ${is}`)
    } else if (after === undefined) {
      const isOld = was === 'done' && before['doneAt'] <= this.#observed.time() - KEPT_MS
      if (!isOld) this.#break(`${id} is removed, and was ${was} at ${before['doneAt']}`)
    } else if (is === 'held' && was === 'waiting') this.#claimedBy.set(id, client)
    else if (is === 'held' && after['fence'] !== before['fence'])
      this.#break(`${id} is taken from p${this.#claimedBy.get(id)}, who holds it, by p${client}`)
    else if (was === 'held' && is === 'done') {
      if (client !== this.#claimedBy.get(id))
        this.#break(`${id} is finished by p${client}, and held by p${this.#claimedBy.get(id)}`)
    } else if (was === 'held' && is === 'waiting') this.#lookAtReturn(client, before)
    else if (was !== is) this.#break(`${id} becomes ${is}, and was ${was}`)
  }

  /** Given back by who has it, or freed by somebody else. */
  #lookAtReturn(client: number, { _id, holder }: Document): void {
    if (client === this.#claimedBy.get(_id)) return
    this.freed += 1
    if (!this.#silent.has(holder) && !this.#isSilent(holder)) this.#break(`${_id} is freed, and its holder lives`)
  }

  #break(what: string): void {
    this.broken ??= what
  }
}
