import type { LiveGrant } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { firstOf } from '../../../lib/web/some-of.ts'
import type { SignedIn } from '../who/signed-in.ts'
import { type App, appsOf } from './client-names.ts'
import { knownTime } from './known-time.ts'
import { clientIdsOf, ownSession, type Some } from './own-sessions.ts'
import type { OwnParts } from './parts.ts'

/** An app that has access to the account, as it is told to its owner. */
export interface OwnApp extends App {
  /** What it may do: OpenID scopes. */
  readonly scopes: readonly string[]
  /** Single claims that it may read. */
  readonly claims: readonly string[]
  /** What it may do elsewhere, by resource. */
  readonly resources: readonly { readonly resource: string; readonly scopes: readonly string[] }[]
  /** Since when it has access, milliseconds since 1970; absent where the provider does not know. */
  readonly since?: number
  /** Until when, as it stands, milliseconds since 1970; absent: until it is revoked. */
  readonly expiresAt?: number
  /** Whether it is told when its access ends. */
  readonly canBeTold: boolean
}

/** So many grants are read for one list: an app may have many. */
const GRANTS = 500

/** So many sessions are looked through for a login at an app that has no grant. */
const SESSIONS = 100

/** The apps that have access to an account, those that got it last first. */
export async function ownApps(parts: OwnParts, { accountId }: SignedIn, limit: number): Promise<Some<OwnApp>> {
  const { logout, host, hidden } = parts
  const grants = await firstOf(logout.grants({ account: accountId }, { limit: GRANTS + 1 }), GRANTS)
  const ofClient = new Map<string, LiveGrant[]>()
  for (const grant of grants.items) {
    if (hidden.has(grant.clientId)) continue
    const others = ofClient.get(grant.clientId)
    if (others) others.push(grant)
    else ofClient.set(grant.clientId, [grant])
  }
  const shown = [...ofClient].slice(0, limit)
  const apps = await appsOf(
    host,
    shown.map(([clientId]) => clientId),
  )
  return {
    items: shown.map(([clientId, some]) => toOwnApp(apps.get(clientId) ?? { clientId, name: clientId }, some)),
    more: grants.more || ofClient.size > limit,
  }
}

/**
 * Whether the app has access to the account, or a login in one of its sessions. Beyond a hundred sessions nobody looks: to
 * revoke what is not there does no harm.
 */
export async function hasAccess(
  parts: OwnParts,
  { accountId, sessionUid }: SignedIn,
  client: string,
): Promise<boolean> {
  const { logout, host, hidden } = parts
  if (hidden.has(client)) return false
  for await (const _ of logout.grants({ account: accountId, client }, { limit: 1 })) return true
  const here = sessionUid === undefined ? undefined : await ownSession(host, accountId, sessionUid)
  if (here && clientIdsOf(here).includes(client)) return true
  let looked = 0
  for await (const { logins } of logout.sessions({ account: accountId }, { limit: SESSIONS })) {
    if (logins.some(({ clientId }) => clientId === client)) return true
    looked += 1
  }
  return looked === SESSIONS
}

function toOwnApp(app: App, grants: readonly LiveGrant[]): OwnApp {
  const since = grants.map((grant) => knownTime(grant.since)).filter((at) => at !== undefined)
  const expiries = grants.map(({ expiresAt }) => knownTime(expiresAt) ?? Number.POSITIVE_INFINITY)
  const expiresAt = Math.max(...expiries)
  return {
    ...app,
    scopes: distinct(grants.flatMap(({ scopes }) => scopes)),
    claims: distinct(grants.flatMap(({ claims }) => claims)),
    resources: resourcesOf(grants),
    ...(since.length > 0 && { since: Math.min(...since) }),
    ...(Number.isFinite(expiresAt) && { expiresAt }),
    canBeTold: grants.some(({ hasBackchannelLogout }) => hasBackchannelLogout),
  }
}

function resourcesOf(grants: readonly LiveGrant[]): OwnApp['resources'] {
  const byResource = new Map<string, string[]>()
  for (const { resource, scopes } of grants.flatMap(({ resources }) => resources))
    byResource.set(resource, [...(byResource.get(resource) ?? []), ...scopes])
  return [...byResource].map(([resource, scopes]) => ({ resource, scopes: distinct(scopes) }))
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}
