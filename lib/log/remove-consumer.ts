import type { Clock } from '../clock.ts'
import { ConsumerLivesError, OptionInvalidError } from '../errors.ts'
import { behind } from './behind.ts'
import { PARKED } from './consumer.ts'
import type { EventStore } from './event-store.ts'
import { watchSignsOfLife } from './signs-of-life.ts'

/** How a consumer is removed. All optional. */
export interface RemoveConsumerOptions {
  /** Only tells what would go. Default: false. */
  readonly dryRun?: boolean
  readonly signal?: AbortSignal
}

/** A consumer that was removed, or would be. */
export interface RemovedConsumer {
  readonly name: string
  readonly dryRun: boolean
  /** Up to here it had handled the log. */
  readonly position: number
  /** How many positions behind the log's end that was. */
  readonly behind: number
  /** How many commits it had parked: they go with it, and hold retention back no more. */
  readonly parked: number
}

/** So many parked commits are given up at a time. */
const AT_ONCE = 100

/**
 * Removes a consumer that is gone for good, with its checkpoint and what it has parked: nothing above its checkpoint could
 * ever be removed from the log. Whoever starts a consumer of this name later makes a new one.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`): there is none of this name
 * @throws ConsumerLivesError (`CONSUMER_LIVES`): its holder shows that it lives, which is watched for 10 s, or longer where the
 *   database answers slowly; or it has changed meanwhile
 */
export async function removeConsumer(
  { store, clock }: { readonly store: EventStore; readonly clock: Clock },
  name: string,
  { dryRun = false, signal }: RemoveConsumerOptions = {},
): Promise<RemovedConsumer> {
  const work = store.work(PARKED)
  const [consumer, end, parked] = [
    await store.consumers.get(name),
    await store.end(),
    await work.countOpen({ lane: name }),
  ]
  const position = consumer?.position ?? end
  const missed = await behind(store, position, end)
  // Without a consumer: a removal that was interrupted.
  if (!consumer && parked === 0)
    throw new OptionInvalidError('name', `must be that of a consumer: ${name} is none of this log`)
  if (consumer?.holder !== undefined) {
    const { living } = await watchSignsOfLife({ store, clock }, [consumer.holder], signal)
    signal?.throwIfAborted()
    if (living.has(consumer.holder)) throw new ConsumerLivesError(name)
  }
  if (!dryRun) {
    if (consumer && !(await store.consumers.remove(consumer))) throw new ConsumerLivesError(name)
    await giveUpParked(store, name)
  }
  return { name, dryRun, position, behind: missed, parked }
}

/** Nobody will come back to them. */
async function giveUpParked(store: EventStore, name: string): Promise<void> {
  const work = store.work(PARKED)
  const holder = `removal of ${name}`
  await work.free(holder) // of a removal that was interrupted
  const now = Number.MAX_SAFE_INTEGER // parked work is never due
  const freeSlots = new Map([[name, AT_ONCE]])
  for (;;) {
    const claimed = await work.claim({ holder, prefix: name, now, limit: AT_ONCE, perLane: 0, freeSlots })
    if (claimed.length === 0) return
    for (const one of claimed) await work.finish(one, await work.time())
  }
}
