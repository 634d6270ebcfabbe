import type { Payload } from './models.ts'
import type { RequestContext } from './request-context.ts'

/** A `Provider` of oidc-provider, as far as the core needs one. Plugins that need more say so where they do. */
export interface ProviderLike {
  readonly issuer: string
  use(middleware: (ctx: RequestContext, next: () => Promise<unknown>) => Promise<void>): unknown
  readonly Client: { find(id: string): Promise<unknown>; readonly adapter?: ProviderAdapter }
  readonly Session: unknown
}

/** oidc-provider's adapter for one model. */
export interface ProviderAdapter {
  upsert(id: string, payload: Payload, expiresIn?: number): Promise<void>
  find(id: string): Promise<Payload | undefined>
  findByUid(uid: string): Promise<Payload | undefined>
  findByUserCode(userCode: string): Promise<Payload | undefined>
  consume(id: string): Promise<void>
  destroy(id: string): Promise<void>
  revokeByGrantId(grantId: string): Promise<void>
}
