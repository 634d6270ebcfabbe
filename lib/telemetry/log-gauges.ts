import type { Clock } from '../clock.ts'
import { withBehind } from '../log/behind.ts'
import type { EventStore } from '../log/event-store.ts'
import type { LogRetention } from '../retention/retention.ts'
import { GoneSeries } from './gone-series.ts'
import type { Reading } from './telemetry.ts'

/** So many consumers are told of: a deployment names its own. */
const CONSUMERS = 100

/**
 * How the log stands: its end, how far its consumers are behind, and when retention was last at its end. Three reads, and
 * one where a consumer is not at the end.
 *
 * @param gone - consumers that were told of before, and are no more
 */
export async function logGauges(
  store: Pick<EventStore, 'end' | 'consumers' | 'readAll'>,
  retention: Pick<LogRetention, 'walkedAt'>,
  clock: Clock,
  gone: GoneSeries = new GoneSeries(),
): Promise<readonly Reading[]> {
  // Consumers first: they are never ahead of an end that is read after them.
  const consumers = await store.consumers.list()
  const [end, walkedAt] = await Promise.all([store.end(), retention.walkedAt()])
  const told = await withBehind(store, consumers.slice(0, CONSUMERS), end)
  return [
    { instrument: 'oidc_provider_eventstore.log.end', value: end },
    ...gone.withGone(
      told.map(
        ({ name, behind }): Reading => ({
          instrument: 'oidc_provider_eventstore.consumer.lag',
          value: behind,
          attributes: { 'oidc_provider_eventstore.consumer': name },
        }),
      ),
    ),
    ...(walkedAt === undefined
      ? []
      : [
          {
            instrument: 'oidc_provider_eventstore.retention.walk_age' as const,
            value: Math.max(0, clock.now() - walkedAt) / 1_000,
          },
        ]),
  ]
}
