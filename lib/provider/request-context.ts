/** What this package looks at in a Koa context of the provider. */
export interface RequestContext {
  method: string
  originalUrl: string
  status: number
  body: unknown
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly headerSent: boolean
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
  readonly entities?: { readonly Client?: ClientLike | undefined }
  readonly session?:
    | { readonly state?: { readonly postLogoutRedirectUri?: string; readonly clientId?: string } | undefined }
    | undefined
}

/** A client of the provider, as far as this package needs one. */
export interface ClientLike {
  readonly clientId: string
}
