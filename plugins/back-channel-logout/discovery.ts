import type { RequestContext } from '../../lib/index.ts'

/** The members with which an OP announces back-channel logout (Back-Channel Logout 1.0 section 2.1). */
const MEMBERS = ['backchannel_logout_supported', 'backchannel_logout_session_supported'] as const

/** Takes them out of the discovery documents while the feature is off. */
export function hideFromDiscovery(ctx: RequestContext): void {
  if (ctx.oidc?.route !== 'discovery' || typeof ctx.body !== 'object' || ctx.body === null) return
  const document: Record<string, unknown> = { ...ctx.body }
  for (const member of MEMBERS) delete document[member]
  ctx.body = document
}
