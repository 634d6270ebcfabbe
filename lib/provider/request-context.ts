/** The part of the provider's Koa context that this package uses. */
export interface RequestContext {
  method: string
  originalUrl: string
  /** Node's request. Frameworks that mount the provider under a path keep the whole URL as its `originalUrl`. */
  readonly req?: { readonly url?: string | undefined; readonly originalUrl?: string | undefined }
  status: number
  body: unknown
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The client's address; of what a proxy says, what the application's `proxy` setting trusts. */
  readonly ip?: string
  readonly headerSent: boolean
  /** Koa's content negotiation: the best of these types for the client. */
  accepts?(...types: string[]): string | false | string[]
  respond?: boolean
  readonly response: { readonly headers: Readonly<Record<string, string | string[] | number | undefined>> }
  set(field: string, value: string | string[]): void
  remove(field: string): void
  redirect(url: string): void
  /** Absent until the provider's router has matched. */
  readonly oidc?: OidcContext | undefined
}

/** The provider's own context of a request. */
export interface OidcContext {
  readonly issuer?: string | undefined
  readonly route?: string | undefined
  readonly params?: Readonly<Record<string, unknown>> | undefined
  readonly client?: ClientLike | undefined
  /** How the client has shown its attestation (OAuth 2.0 Attestation-Based Client Authentication). */
  readonly clientAttestation?: { readonly method?: string; readonly signal?: boolean } | undefined
  readonly entities?: { readonly Client?: ClientLike | undefined }
  readonly session?:
    | { readonly state?: { readonly postLogoutRedirectUri?: string; readonly clientId?: string } | undefined }
    | undefined
}

/** A client of the provider, as far as this package needs one. */
export interface ClientLike {
  readonly clientId: string
}
