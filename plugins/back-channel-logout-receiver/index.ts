/**
 * The RP's side of OpenID Connect Back-Channel Logout 1.0. Needs jose and Node, no provider, no store, no framework.
 * The guide is `docs/guides/receiver.md`.
 */
export type { IssuerKeys } from './issuer-keys.ts'
export {
  backChannelLogoutReceiver,
  type KoaLogoutContext,
  type KoaReceiver,
  type KoaReceiverOptions,
} from './koa-middleware.ts'
export {
  type LogoutAnswer,
  type LogoutNotice,
  type LogoutRequest,
  type LogoutRequestOptions,
  logoutRequestHandler,
} from './logout-request.ts'
export type { LogoutToken } from './logout-token.ts'
export {
  LogoutTokenError,
  type LogoutTokenErrorCode,
  logoutTokenErrorCodes,
  type RejectedTokenCode,
  type UndecidedTokenCode,
} from './logout-token-error.ts'
export { MemoryReplayStore } from './memory-replay-store.ts'
export { ReceiverOptionError } from './option-error.ts'
export type { LogoutTokenReplayStore, ReplayEntry, ReplayReservation } from './replay-store.ts'
export type { LogoutRequestBody } from './request-form.ts'
export type { DecryptionKey } from './token-encryption.ts'
export type { LogoutTokenOptions } from './verifier-options.ts'
export { verifyLogoutToken } from './verify-logout-token.ts'
