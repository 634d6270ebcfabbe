/** How something is measured. */
export interface Instrument {
  readonly kind: 'counter' | 'histogram' | 'gauge'
  /** By the Unified Code for Units of Measure, as OpenTelemetry wants it. */
  readonly unit: string
  readonly description: string
  /** The bounds of a histogram's buckets. */
  readonly buckets?: readonly number[]
}

/** The names of what is counted, and of what is measured each time that it happens. */
export type RecordedName =
  | 'oidc_provider_eventstore.append.duration'
  | 'oidc_provider_eventstore.append.conflicts'
  | 'oidc_provider_eventstore.append.batch_size'
  | 'oidc_provider_eventstore.read.duration'
  | 'oidc_provider_eventstore.retention.removed'
  | 'messaging.client.operation.duration'
  | 'messaging.client.sent.messages'
  | 'oidc_provider_eventstore.logout.deliveries'
  | 'oidc_provider_eventstore.logout.time_to_logout'

/** The names of what is read when somebody collects. */
export type GaugeName =
  | 'oidc_provider_eventstore.log.end'
  | 'oidc_provider_eventstore.consumer.lag'
  | 'oidc_provider_eventstore.retention.walk_age'
  | 'oidc_provider_eventstore.logout.backlog'
  | 'oidc_provider_eventstore.logout.backlog_age'
  | 'oidc_provider_eventstore.logout.overdue'
  | 'oidc_provider_eventstore.logout.circuits_open'
  | 'oidc_provider_eventstore.logout.dead_letters'
  | 'oidc_provider_eventstore.logout.parked'

/** The names of all that is measured. */
export type InstrumentName = RecordedName | GaugeName

const QUICK_SECONDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const PATIENT_SECONDS: readonly number[] = [
  0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 43_200, 172_800,
]

/** All that this package measures. Names, units and meanings are public: dashboards and alerts are built on them. */
export const INSTRUMENTS: Readonly<Record<InstrumentName, Instrument>> = {
  'oidc_provider_eventstore.append.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'How long a commit took until it was acknowledged or refused; error.type says why it was refused',
    buckets: QUICK_SECONDS,
  },
  'oidc_provider_eventstore.append.conflicts': {
    kind: 'counter',
    unit: '{conflict}',
    description: 'Commits that lost: something that can be used once was used, or their state was followed by another',
  },
  'oidc_provider_eventstore.append.batch_size': {
    kind: 'histogram',
    unit: '{commit}',
    description: 'How many appends were settled with one write',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
  },
  'oidc_provider_eventstore.read.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'How long a read of the log took',
    buckets: QUICK_SECONDS,
  },
  'oidc_provider_eventstore.log.end': {
    kind: 'gauge',
    unit: '{commit}',
    description: 'The position of the newest commit: its rate is that of the commits of all processes',
  },
  'oidc_provider_eventstore.consumer.lag': {
    kind: 'gauge',
    unit: '{commit}',
    description: 'How many commits a consumer of the log has still to handle',
  },
  'oidc_provider_eventstore.retention.removed': {
    kind: 'counter',
    unit: '{commit}',
    description: 'Commits that nobody needed any more and that were removed',
  },
  'oidc_provider_eventstore.retention.walk_age': {
    kind: 'gauge',
    unit: 's',
    description: 'How long ago retention last reached the end of the log',
  },
  'messaging.client.operation.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'How long an attempt took to tell an RP of a logout, from the making of the token to the answer',
    buckets: QUICK_SECONDS,
  },
  'messaging.client.sent.messages': {
    kind: 'counter',
    unit: '{message}',
    description: 'Logout tokens that were sent, or could not be sent; error.type says how they failed',
  },
  'oidc_provider_eventstore.logout.deliveries': {
    kind: 'counter',
    unit: '{delivery}',
    description: 'Deliveries that have ended, by outcome: confirmed, rejected, abandoned, expired, superseded',
  },
  'oidc_provider_eventstore.logout.time_to_logout': {
    kind: 'histogram',
    unit: 's',
    description: "How long it took from the end of a session to an RP's confirmation",
    buckets: PATIENT_SECONDS,
  },
  'oidc_provider_eventstore.logout.backlog': {
    kind: 'gauge',
    unit: '{delivery}',
    description:
      'Deliveries that an RP is owed, of the 20 RPs that are owed most, those of the configuration, and those told of before',
  },
  'oidc_provider_eventstore.logout.backlog_age': {
    kind: 'gauge',
    unit: 's',
    description: 'How long ago the session ended that an RP has waited longest to be told of',
  },
  'oidc_provider_eventstore.logout.overdue': {
    kind: 'gauge',
    unit: 's',
    description:
      'By how much the delivery is late that should have been tried first, of RPs that are neither paused nor left alone',
  },
  'oidc_provider_eventstore.logout.circuits_open': {
    kind: 'gauge',
    unit: '{circuit}',
    description: 'RPs that this process leaves alone for now, since they do not answer',
  },
  'oidc_provider_eventstore.logout.dead_letters': {
    kind: 'gauge',
    unit: '{delivery}',
    description: 'Deliveries that nobody tries any more and nobody has replayed, among the last 100 such facts',
  },
  'oidc_provider_eventstore.logout.parked': {
    kind: 'gauge',
    unit: '{commit}',
    description: 'Commits whose logouts could not be planned, up to 100',
  },
}
