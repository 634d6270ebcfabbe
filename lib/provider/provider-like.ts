import type { RequestContext } from './request-context.ts'

/** A `Provider` of oidc-provider, as far as the core needs one. Plugins that need more say so where they do. */
export interface ProviderLike {
  readonly issuer: string
  use(middleware: (ctx: RequestContext, next: () => Promise<unknown>) => Promise<void>): unknown
  readonly Client: { find(id: string): Promise<unknown> }
  readonly Session: unknown
}
