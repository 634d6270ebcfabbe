import type { GrantName, GrantState, Host, Payload } from '../../../lib/index.ts'
import type { ToldClients } from '../clients/told-clients.ts'
import { assertKnown, assertReading, assertText, type ReadingOptions } from '../recording/criteria.ts'
import { accountStreams } from '../recording/index-streams.ts'
import { PAGE_SIZE } from '../recording/pages.ts'
import { type CandidatePage, type CandidatePlace, candidates, type Wanted } from './candidates.ts'
import { earlierTime } from './endings.ts'
import { ifReadable } from './if-readable.ts'
import { streamOfEntry } from './live-index.ts'
import { isGrantExpired } from './meant-grants.ts'

/** So many grants are looked at at a time. */
const LOOKS_AT_ONCE = 16

/** Whose live grants. */
export interface LiveGrantCriteria {
  /** The account id. */
  readonly account: string
  /** Only those of this client. */
  readonly client?: string
}

/** A grant of somebody that was neither revoked nor has expired: what a client may do. */
export interface LiveGrant {
  readonly id: string
  readonly accountId: string
  readonly clientId: string
  /** When it was given, milliseconds since 1970; absent where the provider does not know. */
  readonly since?: number
  /** When it expires, milliseconds since 1970; absent: never. */
  readonly expiresAt?: number
  /** The OpenID scopes that were granted and not rejected. */
  readonly scopes: readonly string[]
  /** Single claims that were granted and not rejected. */
  readonly claims: readonly string[]
  /** Scopes at resource servers (RFC 8707), by resource. */
  readonly resources: readonly { readonly resource: string; readonly scopes: readonly string[] }[]
  /** Whether the RP can be told when it ends: this process knows a usable URI of its client now. */
  readonly hasBackchannelLogout: boolean
}

/** What they are read with. */
export interface LiveGrantParts {
  readonly host: Pick<Host, 'store' | 'terminator' | 'clock'>
  /** The provider's `clockTolerance`: as late as that it still takes a grant. */
  readonly toleranceSeconds: number
  readonly clients: Pick<ToldClients, 'find'>
}

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertLiveGrants(criteria: LiveGrantCriteria, options: Pick<ReadingOptions, 'limit' | 'signal'>): void {
  assertKnown(criteria, ['account', 'client'])
  assertText('account', criteria.account)
  if (criteria.client !== undefined) assertText('client', criteria.client)
  assertKnown(options, ['limit', 'signal'])
  assertReading(options)
}

/**
 * The live grants of an account, each once, those that were written last first as far as a page goes. Found as its live
 * sessions are: what ended before costs nothing.
 */
export async function* liveGrantsOf(
  { host, toleranceSeconds, clients }: LiveGrantParts,
  { account, client }: LiveGrantCriteria,
  { limit = Number.POSITIVE_INFINITY, signal }: Pick<ReadingOptions, 'limit' | 'signal'>,
  size: number = PAGE_SIZE,
): AsyncGenerator<LiveGrant, void> {
  const { store, terminator } = host
  const told = new Set<string>()
  const now = await earlierTime(host)
  const before = (await store.end()) + 1
  const wanted: Wanted = { kind: 'grant', accounts: accountStreams(store.keys, account), before }
  let left = limit
  let place: CandidatePlace | undefined
  do {
    if (signal?.aborted) return
    const page: CandidatePage = await candidates(store, wanted, place, size)
    for await (const state of looks(terminator, await grantsOf(host, page, client))) {
      if (!state || told.has(state.id) || state.accountId !== account) continue
      const { clientId } = state
      if (clientId === undefined || clientId !== (client ?? clientId)) continue
      if (isGrantExpired(state.exp, toleranceSeconds, now)) continue
      told.add(state.id)
      yield await liveGrantOf(state, account, clientId, clients)
      left -= 1
      if (left === 0 || signal?.aborted) return
    }
    place = page.next
  } while (place)
}

/** The grants of a page, each once, those written last first. */
async function grantsOf(
  { store, terminator }: Pick<Host, 'store' | 'terminator'>,
  { commits, entries }: CandidatePage,
  client: string | undefined,
): Promise<GrantName[]> {
  const stored = await Promise.all(
    commits.map(async (commit) => {
      const grants = (await ifReadable(() => terminator.grantsStoredBy(commit, client))) ?? []
      return grants.map(({ id }) => ({ name: [...store.keys.streams('Grant', id)], position: commit.position }))
    }),
  )
  const found = [
    ...stored.flat(),
    ...entries.map((entry) => ({ name: [streamOfEntry(entry)], position: entry.position })),
  ]
  const sorted = found.sort((a, b) => b.position - a.position)
  return [...new Map(sorted.map(({ name }) => [String(name), name])).values()]
}

/** As they are now, some of them looked at at a time. */
async function* looks(
  terminator: Pick<Host['terminator'], 'grant'>,
  names: readonly GrantName[],
): AsyncGenerator<GrantState | undefined, void> {
  for (let i = 0; i < names.length; i += LOOKS_AT_ONCE)
    yield* await Promise.all(names.slice(i, i + LOOKS_AT_ONCE).map((name) => ifReadable(() => terminator.grant(name))))
}

async function liveGrantOf(
  { id, payload, exp }: GrantState,
  accountId: string,
  clientId: string,
  clients: Pick<ToldClients, 'find'>,
): Promise<LiveGrant> {
  const { iat } = payload
  return {
    id,
    accountId,
    clientId,
    ...(typeof iat === 'number' && { since: iat * 1_000 }),
    ...(exp !== undefined && { expiresAt: exp * 1_000 }),
    ...allowedBy(payload),
    hasBackchannelLogout: (await clients.find(clientId)) !== undefined,
  }
}

/** As oidc-provider's `Grant` counts: what was rejected is not granted, but for `openid`. */
function allowedBy(payload: Payload): Pick<LiveGrant, 'scopes' | 'claims' | 'resources'> {
  const granted = partsOf(payload)
  const rejected = partsOf(asObject(payload['rejected']))
  const resources = Object.entries(granted.resources).map(([resource, scope]) => {
    const no = new Set(words(rejected.resources[resource]))
    return { resource, scopes: words(scope).filter((one) => !no.has(one)) }
  })
  return {
    scopes: granted.scopes.filter((scope) => scope === 'openid' || !rejected.scopes.includes(scope)),
    claims: granted.claims.filter((claim) => !rejected.claims.includes(claim)),
    resources: resources.filter(({ scopes }) => scopes.length > 0),
  }
}

function partsOf(payload: Payload): {
  readonly scopes: readonly string[]
  readonly claims: readonly string[]
  readonly resources: Payload
} {
  const { scope, claims } = asObject(payload['openid'])
  return {
    scopes: words(scope),
    claims: Array.isArray(claims) ? claims.filter((claim) => typeof claim === 'string') : [],
    resources: asObject(payload['resources']),
  }
}

function words(text: unknown): readonly string[] {
  return typeof text === 'string' ? text.split(' ').filter((word) => word !== '') : []
}

function asObject(value: unknown): Payload {
  return typeof value === 'object' && value !== null ? (value as Payload) : {}
}
