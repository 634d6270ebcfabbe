import type { RequestContext } from './request-context.ts'
import type { Cause } from './session-change.ts'

/** Where the writes of a unit of work come from. */
export type UnitOrigin =
  /** A request of the provider. */
  | { readonly kind: 'request'; readonly request: RequestContext }
  /** A single write of application code, which says nothing of the state that it is based on. */
  | { readonly kind: 'application' }
  /** The end of a session or a grant outside requests (operators, expiry), decided on the state that was read. */
  | { readonly kind: 'ending'; readonly cause: Cause }
  /** A state of another adapter that is taken over: it follows nothing that this OP has made itself. */
  | { readonly kind: 'moving' }

/** Whether what the unit writes was decided on what it has read: then it may follow that state only. */
export function isDecidedOnRead({ kind }: UnitOrigin): boolean {
  return kind !== 'application'
}

/** Whether the provider goes on with the result of an interaction. */
export function isResume(origin: UnitOrigin): boolean {
  const route = origin.kind === 'request' ? origin.request.oidc?.route : undefined
  return route === 'resume' || route === 'device_resume'
}
