import type { Db } from 'mongodb'
import type { EventStore } from '../../../lib/index.ts'
import { sealedFor, toBody } from '../../../plugins/back-channel-logout/delivery/delivery.ts'
import { laneOf } from '../../../plugins/back-channel-logout/work/lanes.ts'

/** So many rows are added at a time. */
const ADDED_AT_ONCE = 1_000

/** Puts deliveries into the work table, past the planner. */
export class DeliveryRows {
  readonly #store: EventStore
  readonly #db: Db
  readonly #issuer: string
  #made = 0

  constructor(store: EventStore, db: Db, issuer: string) {
    this.#store = store
    this.#db = db
    this.#issuer = issuer
  }

  /** Adds so many, to so many RPs in turn: `rp-0` and so on. They are not due yet. */
  async add(count: number, rps: number): Promise<void> {
    const work = this.#store.work('deliveries')
    const now = await work.time()
    for (let left = count; left > 0; left -= ADDED_AT_ONCE) {
      const rows = Array.from({ length: Math.min(left, ADDED_AT_ONCE) }, () => {
        const uid = `session-${this.#made}`
        const clientId = `rp-${this.#made % rps}`
        const told = { sessionUid: uid, clientId, sid: `sid-${this.#made}`, includeSid: true }
        const ended = { reason: 'rp_initiated', endedAt: now, attempts: 0, badRequests: 0 } as const
        const id = `${++this.#made}/0.0`
        const sealedSubject = this.#store.keys.seal('somebody', sealedFor(id, told))
        const body = toBody({ ...told, sealedSubject, ...ended })
        return { id, lane: laneOf(this.#issuer, clientId), dueAt: now + 600_000, body }
      })
      await work.add(rows)
    }
  }

  /** All at once: so that none is sent while others are still being added. */
  async makeDue(): Promise<void> {
    const dueAt = await this.#store.work('deliveries').time()
    await this.#db.collection('deliveries').updateMany({ state: 'waiting' }, { $set: { dueAt } })
    await this.#db.collection('deliveries_lanes').updateMany({}, { $set: { dueAt, touch: `${this.#made}` } })
  }
}
