import { isConsumable, type Payload } from '../../../lib/provider/models.ts'
import type { AnomalyCode } from './anomalies.ts'
import { isPlain } from './escapes.ts'
import type { SourceRecord } from './read-document.ts'

/** What is to become of a document, and what is odd about it. */
export interface Classified {
  readonly verdict: 'take' | 'expired' | 'leave'
  readonly anomalies: readonly AnomalyCode[]
}

/** What a document is judged by. */
export interface Rules {
  /** Seconds since 1970. */
  readonly now: number
  /** Whether the other adapter has recorded the use of codes. */
  readonly recordsUse: boolean
  /** Which codes are taken: those whose use would have been recorded, or all. */
  readonly codes: 'recorded' | 'all'
}

/** Members of a token in formats that oidc-provider 9 does not read. */
const FORMER_FORMATS = ['jwt', 'jwt-ietf', 'paseto', 'signature'] as const

/** Members of a session's authorization that moved into grants with oidc-provider 7. */
const FORMER_AUTHORIZATION = ['promptedScopes', 'promptedClaims', 'rejectedScopes', 'rejectedClaims'] as const

/** Decides on a document. Pure. */
export function classify({ model, id, payload, expiry }: SourceRecord, rules: Rules): Classified {
  if (payload !== undefined && model === undefined) return leave('unknown_kind')
  if (payload === undefined || model === undefined || id === undefined) return leave('unreadable')
  if (typeof payload['exp'] === 'number' && payload['exp'] <= rules.now) return { verdict: 'expired', anomalies: [] }
  if (model === 'Session' && isFormerSession(payload)) return leave('former_session')
  if (model === 'Session' && (typeof payload['uid'] !== 'string' || payload['jti'] !== id)) return leave('unreadable')
  if (isFormerToken(payload)) return leave('former_token')
  const anomalies: AnomalyCode[] = []
  if (isConsumable(model) && !rules.recordsUse) {
    const isCode = model !== 'RefreshToken'
    if (isCode && rules.codes === 'recorded') return leave('use_never_recorded')
    anomalies.push(isCode ? 'use_never_recorded' : 'refresh_use_never_recorded')
  }
  if (expiry === 'invalid') anomalies.push('expiry_invalid')
  else if (expiry !== undefined && expiry <= rules.now) anomalies.push('live_but_expired')
  if (model === 'Client' && !['undefined', 'string'].includes(typeof payload['client_secret']))
    anomalies.push('secret_unreadable')
  return { verdict: 'take', anomalies }
}

function leave(code: AnomalyCode): Classified {
  return { verdict: 'leave', anomalies: [code] }
}

function isFormerSession(payload: Payload): boolean {
  if (payload['account'] !== undefined && payload['accountId'] === undefined) return true
  const { authorizations } = payload
  return (
    isPlain(authorizations) &&
    Object.values(authorizations).some(
      (one) => isPlain(one) && FORMER_AUTHORIZATION.some((member) => Object.hasOwn(one, member)),
    )
  )
}

function isFormerToken(payload: Payload): boolean {
  const { format } = payload
  if (format !== undefined && format !== 'opaque') return true
  return FORMER_FORMATS.some((member) => Object.hasOwn(payload, member))
}
