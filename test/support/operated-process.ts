import { Features } from '../../lib/features/features.ts'
import { type Clock, type EventStore, type Feature, Heartbeat, type Logger, silent } from '../../lib/index.ts'
import { OperatorsLog } from '../../lib/operators/operators-log.ts'

/** The issuer of a process, unless another one is given. */
export const ISSUER = 'https://op.example.com'

/** What a process of an OP knows of what operators have set. */
export interface OperatedProcess {
  readonly operators: OperatorsLog
  readonly features: Features
}

export interface OperatedProcessOptions {
  readonly clock: Clock
  readonly logger?: Logger
  /** Its issuer, and those that it had before. */
  readonly issuers?: readonly string[]
  readonly configured?: Readonly<Partial<Record<Feature, boolean>>>
}

export function operatedProcess(
  store: EventStore,
  { clock, logger = silent, issuers = [ISSUER], configured = {} }: OperatedProcessOptions,
): OperatedProcess {
  const heartbeat = new Heartbeat({ store, clock, logger })
  const operators = new OperatorsLog({ store, clock, logger, heartbeat, issuers: () => issuers })
  return { operators, features: new Features(operators, configured) }
}
