export { BackChannelLogout, backChannelLogout } from './back-channel-logout.ts'
export type { ClientSettings, LogoutMetadata } from './clients/client-settings.ts'
export type {
  ChangeClientOptions,
  ClientChangeOutcome,
  LogoutClients,
  LogoutMetadataChange,
} from './clients/logout-clients.ts'
export type { DeadLetter } from './dead-letters/dead-letter.ts'
export type { DeadLetterCriteria } from './dead-letters/listing.ts'
export type { ReplayOptions, Replays, ReplayTarget } from './dead-letters/replay.ts'
export type { ClientTest } from './delivery/client-test.ts'
export type {
  CircuitOptions,
  ClientDeliveryOptions,
  ConfirmingAnswer,
  DeliveryOptions,
} from './delivery/delivery-policy.ts'
export type { RetryOptions, RetryProgress } from './delivery/hasten.ts'
export type { LostDelivery } from './delivery/lost-deliveries.ts'
export type { ParkedCommit, ParkedOutcome } from './delivery/parked-commits.ts'
export type { PausedClient, PauseOptions, PauseTarget } from './delivery/paused-clients.ts'
export type { PendingCount, PendingCountOptions, PendingCriteria, PendingDelivery } from './delivery/pending.ts'
export { LogoutNotConfirmed } from './delivery/provider-events.ts'
export type { LiveGrant, LiveGrantCriteria } from './ending/live-grants.ts'
export type { LiveLogin, LiveSession, LiveSessionCriteria } from './ending/live-sessions.ts'
export type { OpenTermination } from './ending/open-terminations.ts'
export type { Whose } from './ending/order-termination.ts'
export type {
  TerminateAccountOptions,
  TerminateManyOptions,
  TerminateOptions,
  TerminateSessionOptions,
  TerminateWithReasonOptions,
  TerminationProgress,
} from './ending/terminate-options.ts'
export { type OrderReason, TERMINATION_REASONS, type TerminationReason } from './ending/termination-events.ts'
export type { TerminationReport, TerminationStatus } from './ending/terminations.ts'
export type { BoundedCount, Health } from './health.ts'
export type { Answer } from './network/answer.ts'
export type {
  ConfigurableClient,
  InternalClient,
  InternalClientRule,
  InternalClients,
  PermissionOptions,
} from './network/internal-clients.ts'
export type { Network } from './network/network.ts'
export { type KnownSession, LogoutOperations, type OperationsParts } from './operations.ts'
export type { BackChannelLogoutOptions } from './options.ts'
export type { LogoutPages } from './pages/logout-pages.ts'
export type { Page, PageOptions } from './pages/page.ts'
export type { SessionCriteria } from './pages/session-page.ts'
export type { Reason } from './reasons.ts'
export type { HistoryCriteria } from './receipts/history.ts'
export type { Receipt, ReceiptEnd, ReceiptEntry } from './receipts/receipt.ts'
export type { LogoutTimeline, TimelineEntry } from './receipts/timeline.ts'
export type { ReadingOptions, Time } from './recording/criteria.ts'
export type { FailedAttempt } from './recording/failed-attempts.ts'
export type { SessionLogoutEvent } from './recording/session-logout-events.ts'
export type { SingleSessionSource } from './single-session/page.ts'
export type {
  ClientStatistics,
  LogoutFigures,
  LogoutStatistics,
  Percentiles,
  QuarterStatistics,
} from './statistics/statistics.ts'
