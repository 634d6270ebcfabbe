export { type Clock, systemClock, type Timer } from './clock.ts'
export type { ForgetOptions, ForgetReport } from './erasure/forget.ts'
export * from './errors.ts'
export { type AdapterFactory, EventSourced, eventSourced } from './event-sourced.ts'
export type { EventSourcedOptions } from './event-sourced-options.ts'
export type { Explanation, Fact, Verdict } from './explain/explanation.ts'
export type { Feature, FeatureGates } from './features/feature-gates.ts'
export type { FeatureSetting } from './features/feature-settings.ts'
export type { FeatureOptions, FeatureState, Features } from './features/features.ts'
export { fullJitter } from './full-jitter.ts'
export type { AccountKeyRecord, AccountKeyTable, NewAccountKey } from './log/account-key-table.ts'
export type { Appended, Claim, Commit, Event, Json, JsonObject, Meta, NewCommit, NewEvent } from './log/commit.ts'
export { Consumer, type ConsumerOptions } from './log/consumer.ts'
export type { ConsumerRecord, ConsumerTable } from './log/consumer-table.ts'
export type { EventStore, ReadOptions } from './log/event-store.ts'
export type { Follower, FollowListener, NewestOfStreams } from './log/follower.ts'
export { Heartbeat, type HeartbeatParts, type Member } from './log/heartbeat.ts'
export type { IndexEntry, IndexPlace, IndexTable, NewIndexEntry } from './log/index-table.ts'
export type { LivenessTable, Living, Sign } from './log/liveness-table.ts'
export type { LogEntry } from './log/log-entry.ts'
export { type RemoveConsumerOptions, type RemovedConsumer, removeConsumer } from './log/remove-consumer.ts'
export type { Removal, RetentionState, RetentionTable } from './log/retention-table.ts'
export type { FoundSegment, Segment, SegmentTable } from './log/segment-table.ts'
export type {
  BusiestOptions,
  ClaimOptions,
  HastenOptions,
  LaneCount,
  NewWork,
  NextDueOptions,
  Work,
  WorkTable,
} from './log/work-table.ts'
export { type Component, componentLogger, consoleLogger, type Logger, silent } from './logger.ts'
export type {
  Level,
  NewOperatorChange,
  OperatorChange,
  OperatorChangeListener,
  OperatorsState,
} from './operators/operators-state.ts'
export type { Host, Plugin } from './plugin.ts'
export type { ConfigurationWithoutAdapter } from './provider/configuration.ts'
export type { LocatedEvent } from './provider/model-record.ts'
export type { Payload } from './provider/models.ts'
export type { IsThere, TakenOver } from './provider/moved-state.ts'
export type { LiveState, Mover } from './provider/mover.ts'
export type { OwnAdapter, OwnAdapterFactory, OwnAdapters } from './provider/own-adapters.ts'
export type { ProviderAdapter, ProviderLike } from './provider/provider-like.ts'
export type { ClientLike, OidcContext, RequestContext } from './provider/request-context.ts'
export type { Cause, Observation, SessionChange, SessionObserver } from './provider/session-change.ts'
export type {
  GrantName,
  GrantState,
  SessionName,
  SessionState,
  SessionStatus,
  SessionTerminator,
  TerminationOptions,
  TerminationPlan,
  TerminationResult,
} from './provider/session-terminator.ts'
export type { RekeyOptions } from './rekey/rekey.ts'
export type { NeededCount, RekeyReport } from './rekey/rekey-report.ts'
export type { Remaining } from './retention/remaining.ts'
export type { Retention, RetentionRunOptions } from './retention/retention.ts'
export type { RetentionOptions, RetentionPolicy } from './retention/retention-options.ts'
export type { RetentionReport, RetentionStatus } from './retention/retention-report.ts'
export { isOlder, type Judgements, type RetentionContext, type RetentionRule } from './retention/retention-rule.ts'
export type { Sample, Samples } from './retention/samples.ts'
export { AccountKeys } from './secrets/account-keys.ts'
export type { Account } from './secrets/account-names.ts'
export { type DataKey, ephemeralKeys, generateSecret, type Key, KeyRing, type Keys } from './secrets/key-ring.ts'
export { isUnreadable } from './secrets/unreadable.ts'
export { errorType } from './telemetry/error-type.ts'
export { GoneSeries } from './telemetry/gone-series.ts'
export {
  type GaugeName,
  INSTRUMENTS,
  type Instrument,
  type InstrumentName,
  type RecordedName,
} from './telemetry/instruments.ts'
export {
  type Attributes,
  type NewSpan,
  noTelemetry,
  type Reading,
  type Span,
  type Telemetry,
} from './telemetry/telemetry.ts'
export {
  type Anchor,
  type MakeAnchorOptions,
  makeAnchor,
  type ReadAnchorOptions,
  readAnchor,
  type SignedAnchor,
} from './verify/anchor.ts'
export type { Fault, FaultCode } from './verify/fault.ts'
export {
  type VerifyOptions,
  type VerifyProgress,
  type VerifyReport,
  verifyLog,
} from './verify/verify-log.ts'
export type { VerifyResume } from './verify/verify-resume.ts'
