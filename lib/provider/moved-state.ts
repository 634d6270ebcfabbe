import { isMoved, type ModelRecord } from './model-record.ts'
import type { ModelState } from './model-state.ts'
import type { Payload } from './models.ts'

/**
 * What became of a state of another adapter: it was stored; it was there already, as it is; it is not taken, since the OP
 * itself has written the instance since (or ended it, or its grant, or signed its account out); it is an older state of a
 * session that was taken.
 */
export type TakenOver = 'stored' | 'same' | 'kept' | 'older'

/** Whether the other adapter still has the session of this id. */
export type IsThere = (id: string) => Promise<boolean>

/**
 * Who has written an instance last: nobody; somebody who took it over from another adapter; or this OP itself, which then
 * knows better than any other adapter.
 */
export type Writer = 'nobody' | 'mover' | 'op'

export function writerOf(record: ModelRecord): Writer {
  const { stored, ended, generation, consumedAt, revocationEvents } = record
  if (revocationEvents > 0) return 'op'
  if (stored) {
    const isUsedUpHere = consumedAt !== undefined && stored.event.data['consumed'] !== consumedAt
    return isMoved(stored.event) && !isUsedUpHere ? 'mover' : 'op'
  }
  if (generation === 0) return 'nobody'
  return ended && isMoved(ended.end.event) ? 'mover' : 'op'
}

/**
 * Whether a session of the other adapter comes before the one that was taken over under the same uid. An adapter that
 * crashed while the cookie value rotated holds the session twice. The one that was saved last expires last.
 */
export function isEarlier(id: string, payload: Payload, { payload: taken }: ModelState): boolean {
  if (taken['jti'] === id) return false
  const [exp, takenExp] = [Number(payload['exp'] ?? Infinity), Number(taken['exp'] ?? Infinity)]
  return exp === takenExp ? id < String(taken['jti']) : exp < takenExp
}
