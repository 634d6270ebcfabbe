import type { Clock } from '../clock.ts'
import type { EventStore } from './event-store.ts'
import { DEAD_MS } from './heartbeat.ts'
import type { Sign } from './liveness-table.ts'

/** So often it is looked again, in milliseconds. */
const LOOK_MS = 500

/** Who lives, as somebody has seen it who has watched for a while. */
export interface SignsOfLife {
  readonly living: ReadonlySet<string>
  /** Those who show no sign of life, with the one that they have left, if they have. */
  readonly dead: ReadonlyMap<string, Sign | undefined>
}

/**
 * Watches the signs of life of all who have left one, and of these holders, until each has shown another one: for as many
 * looks as make 10 s. Who has shown none by then is dead, as far as processes judge each other. Aborted, it takes nobody
 * for dead. A look counts the same however long its answer takes: nobody could show anything where the store was away.
 */
export async function watchSignsOfLife(
  { store, clock }: { readonly store: Pick<EventStore, 'liveness'>; readonly clock: Clock },
  holders: Iterable<string> = [],
  signal?: AbortSignal,
): Promise<SignsOfLife> {
  const { signs: first } = await store.liveness.beat([])
  const waiting = new Map<string, Sign | undefined>([...holders].map((holder) => [holder, undefined]))
  for (const sign of first) waiting.set(sign.holder, sign)
  const living = new Set<string>()
  for (let looks = 0; waiting.size > 0 && looks < DEAD_MS / LOOK_MS; looks++) {
    await clock.sleep(LOOK_MS, signal)
    if (signal?.aborted) return { living: new Set([...living, ...waiting.keys()]), dead: new Map() }
    for (const { holder, beat } of (await store.liveness.beat([])).signs) {
      if (!waiting.has(holder) || waiting.get(holder)?.beat === beat) continue
      waiting.delete(holder)
      living.add(holder)
    }
  }
  return { living, dead: waiting }
}
