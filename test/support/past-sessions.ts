import type { EventStore, NewEvent } from '../../lib/index.ts'

/** How many commits are under way at a time: as many as share a batch of the store. */
const AT_ONCE = 500

/** So many sessions of an account that began and have ended, as the provider writes them. */
export async function pastSessions(store: EventStore, issuer: string, accountId: string, count: number): Promise<void> {
  const { keys } = store
  const meta = { instance: issuer }
  for (let from = 0; from < count; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, index) => {
      const [uid, jti] = [`${accountId}-uid-${from + index}`, `${accountId}-jti-${from + index}`]
      const [stream] = keys.streams('Session', jti)
      const also = [...keys.streams('account', accountId), ...keys.streams('uid', uid)]
      const exp = Math.floor(Date.now() / 1_000) + 3_600
      const sealed = keys.seal({ payload: { jti, uid, kind: 'Session', accountId, exp } }, stream)
      const stored: NewEvent = { stream, also, type: 'stored', data: { model: 'Session', exp, sealed } }
      const destroyed: NewEvent = { stream, also, type: 'destroyed', data: { model: 'Session' } }
      return [stored, destroyed]
    })
    for (const which of [0, 1])
      await Promise.all(some.map((events) => store.append({ events: [events[which] as NewEvent], meta })))
  }
}
