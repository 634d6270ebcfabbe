/**
 * The RP's side of OpenID Connect Back-Channel Logout 1.0. It depends on jose and Node.js only, not on a provider, a store
 * or a framework. The guide is `docs/guides/receiver.md`.
 */
export type { IssuerKeys } from './issuer-keys.ts'
export {
  backChannelLogoutReceiver,
  type KoaLogoutContext,
  type KoaReceiver,
  type KoaReceiverOptions,
} from './koa-middleware.ts'
export {
  type LogoutNotice,
  type LogoutRequest,
  type LogoutRequestOptions,
  type LogoutResponse,
  logoutRequestHandler,
} from './logout-request.ts'
export type { LogoutToken } from './logout-token.ts'
export {
  LogoutTokenError,
  type LogoutTokenErrorCode,
  logoutTokenErrorCodes,
  type RejectedTokenCode,
  type RetryableTokenCode,
} from './logout-token-error.ts'
export { MemoryReplayStore } from './memory-replay-store.ts'
export { ReceiverOptionError } from './option-error.ts'
export { ReceiverStoreError } from './receiver-store-error.ts'
export type { LogoutTokenReplayStore, ReplayEntry, ReplayReservation } from './replay-store.ts'
export type { LogoutRequestBody } from './request-form.ts'
export {
  type ExpressOpenidConnectConfig,
  type ExpressOpenidConnectHooks,
  expressOpenidConnect,
} from './sessions/express-openid-connect.ts'
export {
  type ExpressSessionCheck,
  type ExpressSessionRequest,
  expressSessionCheck,
} from './sessions/express-session-check.ts'
export { type ExpressSessionStore, expressSessionLoggedOutStore } from './sessions/express-session-store.ts'
export type { KeyValueLoggedOutStoreOptions } from './sessions/key-value-logged-out-store.ts'
export { type KoaSessionCheck, koaSessionCheck } from './sessions/koa-session-check.ts'
export { type KoaSessionStore, koaSessionLoggedOutStore } from './sessions/koa-session-store.ts'
export {
  type LoggedOutSessions,
  type LoggedOutSessionsOptions,
  loggedOutSessions,
} from './sessions/logged-out-sessions.ts'
export type { LoggedOutEntry, LoggedOutStore } from './sessions/logged-out-store.ts'
export { MemoryLoggedOutStore } from './sessions/memory-logged-out-store.ts'
export type { IdTokenClaims } from './sessions/session-login.ts'
export type { ReceiverLogger } from './sessions/setup-check.ts'
export type { DecryptionKey } from './token-encryption.ts'
export type { LogoutTokenOptions } from './verifier-options.ts'
export { verifyLogoutToken } from './verify-logout-token.ts'
