import { createHash } from 'node:crypto'
import type { KeyRing } from '../secrets/key-ring.ts'
import type { RequestContext } from './request-context.ts'

/** An answer in the provider's own form. */
export interface Refusal {
  readonly status: number
  readonly error: string
  /** Absent where the provider gives none. */
  readonly description?: string
  readonly headers?: Readonly<Record<string, string>>
}

const INVALID_GRANT: Refusal = { status: 400, error: 'invalid_grant', description: 'grant request is invalid' }
const INVALID_CLIENT: Refusal = { status: 401, error: 'invalid_client', description: 'client authentication failed' }
const INVALID_ATTESTATION: Refusal = { status: 400, error: 'invalid_client_attestation' }
const INVALID_DPOP_PROOF: Refusal = {
  status: 400,
  error: 'invalid_dpop_proof',
  description: 'DPoP proof JWT Replay detected',
}
const POP_HEADER = 'oauth-client-attestation-pop'

/**
 * What the provider answers when it finds a token, code or request already used (RFC 6749 section 5.2, RFC 9126
 * section 4); or, where the request is not known, a proof.
 */
export function usedUp(model: string): Refusal {
  if (model === 'ReplayDetection') return INVALID_CLIENT
  if (model !== 'PushedAuthorizationRequest') return INVALID_GRANT
  return {
    status: 400,
    error: 'invalid_request_uri',
    description: 'request_uri is invalid, expired, or was already used',
  }
}

/**
 * What the provider answers to a replayed proof: a client assertion (RFC 7523 section 3), a DPoP proof (RFC 9449
 * section 11.1), an attestation's proof of possession.
 *
 * @param mark - the mark that another request holds
 */
export function replayed(keys: KeyRing, ctx: RequestContext, mark: string): Refusal {
  const isThis = (jwt: unknown): boolean => {
    const jti = jtiOf(jwt)
    const client = ctx.oidc?.entities?.Client?.clientId ?? ctx.oidc?.client?.clientId ?? ''
    if (jti === undefined) return false
    const id = createHash('sha256').update(`${client}${jti}`).digest('base64url')
    return keys.streams('ReplayDetection', id).some((name) => mark.startsWith(`${name}@`))
  }
  const { method, signal } = ctx.oidc?.clientAttestation ?? {}
  if (!isThis(ctx.headers['dpop']))
    return signal && isThis(ctx.headers[POP_HEADER]) ? INVALID_ATTESTATION : INVALID_CLIENT
  if (method === 'dpop_combined') return INVALID_DPOP_PROOF
  if (ctx.oidc?.route === 'token') return INVALID_GRANT
  if (ctx.oidc?.route === 'userinfo' || ctx.oidc?.route === 'credential') {
    return {
      status: 401,
      error: 'invalid_token',
      description: 'invalid token provided',
      headers: {
        'WWW-Authenticate': `DPoP realm="${ctx.oidc.issuer}", error="invalid_token", error_description="invalid token provided"`,
      },
    }
  }
  return { status: 400, error: 'invalid_request', description: 'DPoP proof JWT Replay detected' }
}

/**
 * The refusal as an error that the provider knows how to answer: for writes that were not staged, whose loser it asks
 * itself.
 */
export function asProviderError({ status, error, description }: Refusal, cause: unknown): Error {
  return Object.assign(new Error(error, { cause }), {
    status,
    statusCode: status,
    expose: true,
    error,
    ...(description !== undefined && { error_description: description }),
  })
}

/** The `jti` of a JWT that the provider has verified already. */
function jtiOf(jwt: unknown): string | undefined {
  if (typeof jwt !== 'string') return undefined
  try {
    const payload: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'))
    return (payload as { jti?: string }).jti
  } catch {
    return undefined
  }
}
