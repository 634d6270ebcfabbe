import { inParallel } from '../../../lib/in-parallel.ts'
import type { LiveState, Mover } from '../../../lib/provider/mover.ts'
import type { Anomalies } from './anomalies.ts'
import type { Counts } from './counts.ts'
import type { CompleteOptions } from './options.ts'
import type { Source } from './source.ts'

interface Parts {
  readonly source: Source
  readonly mover: Mover
  readonly options: CompleteOptions
  readonly counts: Counts
  readonly anomalies: Anomalies
}

/** What was taken over, lives, and can be looked for. */
type Taken = LiveState & { readonly id: string }

/**
 * Ends what was taken over and is not in the source any more: a session that was logged out of, a token that was revoked.
 * Once the OP on the log is in use, nothing is ended: users have logged in there, and the source may be incomplete by now.
 */
export async function endVanished({ source, mover, options, counts, anomalies }: Parts): Promise<void> {
  const { inFlight, signal, onProgress, clock } = options
  const inUse = await mover.isInUse(signal)
  let read = 0
  for await (const states of mover.states(signal)) {
    const now = clock.now() / 1000
    for (const [model, taken] of byModel(states.filter((state) => source.holds(state.model) && isTaken(state, now)))) {
      const there = await source.existing(
        model,
        taken.map(({ id }) => id),
      )
      const vanished = taken.filter(({ id }) => !there.has(id))
      if (inUse) for (const { id } of vanished) anomalies.add('vanished', model, id)
      else
        await inParallel(vanished, inFlight, async ({ id }) => {
          signal?.throwIfAborted()
          if (await mover.end(model, id)) counts.of(model).ended += 1
        })
    }
    read += states.length
    onProgress?.({ step: 'ending', collection: 'events', read, total: undefined })
  }
  onProgress?.({ step: 'ending', collection: 'events', read, total: read })
}

function isTaken({ moved, id, payload: { exp } }: LiveState, now: number): boolean {
  return moved && id !== undefined && !(typeof exp === 'number' && exp <= now)
}

function byModel(states: readonly LiveState[]): Map<string, Taken[]> {
  const models = new Map<string, Taken[]>()
  for (const state of states) {
    const { model, id } = state
    if (id === undefined) continue
    const taken = models.get(model) ?? []
    models.set(model, taken)
    taken.push({ ...state, id })
  }
  return models
}
