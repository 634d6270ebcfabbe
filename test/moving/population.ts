import type { Db } from 'mongodb'
import type { AdapterPayload } from 'oidc-provider'
import type { ModelName } from '../../lib/provider/models.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import type { KnownLayout } from './fifteen-layouts.ts'
import { FormerAdapter } from './former-adapter.ts'

/** What was stored, and is to be found again. */
export interface Stored {
  readonly model: ModelName
  readonly id: string
}

/** What an OP has stored with one of the layouts: something of most models, and the faults that deployments have. */
export interface Population {
  readonly adapter: (model: string) => FormerAdapter
  /** Live, and to be taken. */
  readonly live: readonly Stored[]
  /** To be left behind, and why: `expired`, or the code of the anomaly. */
  readonly left: readonly (Stored & { readonly why: string })[]
  /** The anomalies that a dry run is to report, with their counts. */
  readonly anomalies: Readonly<Record<string, number>>
}

const now = (): number => Math.floor(Date.now() / 1000)

/** The models that most OPs store something of. Clients of layouts that need a kind are in a table of their own. */
const PLAIN: readonly ModelName[] = ['ClientCredentials', 'Interaction', 'ReplayDetection']

export async function populate(db: Db, layout: KnownLayout): Promise<Population> {
  const adapter = (model: string): FormerAdapter => new FormerAdapter(db, model, layout.style)
  const live: Stored[] = []
  const left: (Stored & { why: string })[] = []
  const anomalies: Record<string, number> = {}
  const count = (code: string, by = 1): void => {
    anomalies[code] = (anomalies[code] ?? 0) + by
  }
  const put = async (model: ModelName, more: Readonly<Record<string, unknown>> = {}, id = newId()): Promise<string> => {
    const payload = sample(model, id, more) as AdapterPayload
    if (model === 'Client') payload['client_id'] = id
    const { exp } = payload
    await adapter(model).upsert(id, payload, typeof exp === 'number' ? exp - now() : undefined)
    return id
  }
  const take = async (model: ModelName, more: Readonly<Record<string, unknown>> = {}): Promise<string> => {
    const id = await put(model, more)
    live.push({ model, id })
    return id
  }
  const leave = async (
    why: string,
    model: ModelName,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<string> => {
    const id = await put(model, more)
    left.push({ model, id, why })
    if (why !== 'expired') count(why)
    return id
  }

  const grantId = await take('Grant', { exp: now() + 86_400 })
  for (const model of PLAIN) await take(model)
  await take('Client')
  if (layout.secretsEncrypted) count('secret_unreadable')
  await take('Session', {
    authorizations: { rp: { sid: newId(), grantId }, 'a.b.$c': { sid: newId(), grantId }, started: {} },
  })
  await take('AccessToken', { grantId })
  // Used and unused, of codes and of refresh tokens.
  const code = (): Promise<string> =>
    layout.losesUse
      ? leave('use_never_recorded', 'AuthorizationCode', { grantId })
      : take('AuthorizationCode', { grantId })
  await code()
  await adapter('AuthorizationCode').consume(await code())
  await take('RefreshToken', { grantId })
  await adapter('RefreshToken').consume(await take('RefreshToken', { grantId }))
  if (layout.losesUse) count('refresh_use_never_recorded', 2)
  const deviceCode = { grantId, userCode: newId() }
  if (layout.losesUse) await leave('use_never_recorded', 'DeviceCode', deviceCode)
  else await take('DeviceCode', deviceCode)

  await leave('expired', 'AccessToken', { grantId, exp: now() - 60 })
  // Its grant was destroyed without it.
  await take('AccessToken', { grantId: newId() })
  count('grant_missing')
  // Of oidc-provider 6 and earlier.
  await leave('former_session', 'Session', {
    accountId: undefined,
    account: 'bob',
    authorizations: { rp: { sid: newId(), promptedScopes: ['openid'], rejectedScopes: [] } },
  })
  await leave('former_token', 'AccessToken', { grantId, jwt: 'eyJ.e30.AA' })
  // Of a model that oidc-provider does not have.
  const feedback = newId()
  const payload = sample('AccessToken', feedback, { kind: 'Feedback' }) as AdapterPayload
  await adapter(layout.shared ? 'Feedback' : 'AccessToken').upsert(feedback, payload, 60)
  count('unknown_kind')
  if (!layout.expiryIsNone) {
    // Saved a second time without a lifetime, so that the date of the first time stays.
    const token = sample('AccessToken', newId(), { grantId }) as AdapterPayload
    await adapter('AccessToken').upsert(String(token.jti), token, -60)
    live.push({ model: 'AccessToken', id: String(token.jti) })
    count('live_but_expired')
  }
  if (!layout.uniqueUid) {
    const uid = newId()
    left.push({ model: 'Session', id: await put('Session', { uid, exp: now() + 1_000 }), why: 'older' })
    await take('Session', { uid, exp: now() + 2_000 })
    count('duplicate_uid')
  }
  return { adapter, live, left, anomalies }
}
