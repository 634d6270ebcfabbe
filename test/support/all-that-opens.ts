import type { EventStore, JsonObject } from '../../lib/index.ts'
import { dataKeyIn } from '../../lib/secrets/key-ring.ts'

/**
 * Everything that somebody can read who has the log, what lies beside it and the ring: what is in the clear, and whatever
 * is sealed with a key that he can open. As one text.
 */
export async function allThatOpens(
  store: EventStore,
  works: readonly string[] = ['deliveries', 'endings'],
): Promise<string> {
  const { keys } = store
  const records = await store.accountKeys.list({ limit: 100_000 })
  const dataKeys = new Map(
    records.flatMap(({ id, sealed }) => (sealed === undefined ? [] : [[id, keys.openDataKey(id, sealed)] as const])),
  )
  const opened = (sealed: string, stream: string): string => {
    try {
      return JSON.stringify(keys.open(sealed, stream, dataKeys.get(dataKeyIn(sealed) ?? '')))
    } catch {
      return ''
    }
  }
  const found: string[] = [JSON.stringify(records)]
  for (const { id, account } of records) if (account) found.push(opened(account, `account_key:${id}`))
  const commits = await store.readAll({ after: 0, limit: 100_000 })
  for (const { events, meta } of commits) {
    found.push(JSON.stringify({ events, meta }))
    for (const { stream, data } of events) found.push(...textsIn(data).map((text) => opened(text, stream)))
  }
  for (const table of works) {
    for (const { body } of await store.work(table).open({ limit: 10_000 })) {
      found.push(
        JSON.stringify(body),
        ...textsIn(body).map((text) => opened(text, `session_logout:${body['sessionUid']}`)),
      )
    }
  }
  return found.join('\n')
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value as JsonObject).flatMap(textsIn)
}
