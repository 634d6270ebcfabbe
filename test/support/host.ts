import { Features } from '../../lib/features/features.ts'
import {
  type Clock,
  type EventStore,
  Heartbeat,
  type Host,
  type ProviderLike,
  silent,
  systemClock,
} from '../../lib/index.ts'
import { OperatorsLog } from '../../lib/operators/operators-log.ts'
import { ModelLog } from '../../lib/provider/model-log.ts'
import { UnitSessionTerminator } from '../../lib/provider/session-terminator.ts'

/** What a plugin is started with, for tests that start one without `eventSourced()`. Nothing is ended through it. */
export function hostOf(store: EventStore, provider: ProviderLike, clock: Clock = systemClock): Host {
  const log = new ModelLog(store, clock)
  const terminator = new UnitSessionTerminator(log, () => {
    throw new Error('this host ends nothing')
  })
  const heartbeat = new Heartbeat({ store, clock, logger: silent })
  const operators = new OperatorsLog({ store, clock, logger: silent, heartbeat, issuers: () => [provider.issuer] })
  const features = new Features(operators, { back_channel_logout: true })
  return {
    store,
    accountKeys: log.accountKeys,
    provider,
    clock,
    logger: silent,
    heartbeat,
    terminator,
    features,
    operators,
  }
}
