import { type Clock, type EventStore, type Host, type ProviderLike, silent, systemClock } from '../../lib/index.ts'
import { UnitEndings } from '../../lib/provider/endings.ts'
import { ModelLog } from '../../lib/provider/model-log.ts'

/** What a plugin is started with, for tests that start one without `eventSourced()`. Nothing is ended through it. */
export function hostOf(store: EventStore, provider: ProviderLike, clock: Clock = systemClock): Host {
  const endings = new UnitEndings(new ModelLog(store, clock), () => {
    throw new Error('this host ends nothing')
  })
  return { store, provider, clock, logger: silent, endings }
}
