import { OptionInvalidError } from '../../../lib/index.ts'
import { literalAddress } from '../network/address-guard.ts'
import { isOfOtherProtocol } from '../network/other-ports.ts'
import { REASONS, type Reason } from '../reasons.ts'

/** The client metadata member with which a client says for which reasons it wants to be told. Default: all. */
export const INITIATORS = 'backchannel_logout_initiators'

/**
 * The client metadata member with which a client says that it does not want a logout token without a `sid` any more once
 * the user has logged in there again: it would end the newer login, too. Default: false, it is sent all the same.
 */
export const SKIP_SUPERSEDED = 'backchannel_logout_skip_superseded'

/**
 * The client metadata member with which a client says that it goes by the `sub` of a logout token, though there is a
 * `sid`: every logout ends all of the user's sessions there, newer ones too. With `backchannel_logout_skip_superseded` it
 * is spared tokens with a `sid` as well. Default: false.
 */
export const GOES_BY_SUB = 'backchannel_logout_goes_by_sub'

/** The longest URI, as it is sent: what every server takes (RFC 9110 section 4.1 asks for 8,000 octets). */
const URI_CHARS = 2_048

/** What URL parsers repair in silence is no URI: RPs and operators would read another one than is sent to. */
const REPAIRED = /[\s\\\p{Cc}]|^https?:(?!\/\/)/iu

/**
 * What is wrong with a back-channel logout URI (Back-Channel Logout 1.0 section 2.2: absolute, no fragment; https, here
 * always but for loopback in development). Undefined: nothing.
 */
export function uriProblem(uri: unknown, development: boolean): string | undefined {
  if (typeof uri !== 'string' || REPAIRED.test(uri) || !URL.canParse(uri)) return 'must be an absolute URI'
  if (!uri.isWellFormed()) return 'must not hold half a surrogate pair'
  if (new URL(uri).href.length > URI_CHARS) return `must have at most ${URI_CHARS} characters`
  const { protocol, hash, hostname, port, username, password } = new URL(uri)
  if (hash !== '' || uri.includes('#')) return 'must not have a fragment'
  if (username !== '' || password !== '') return 'must not have credentials in it'
  if (isOfOtherProtocol(port)) return `must not have the port ${port}: it belongs to another protocol than HTTP`
  if (protocol === 'https:') return undefined
  if (protocol !== 'http:') return 'must be an https URI'
  if (development && isLoopback(hostname)) return undefined
  return development
    ? 'must be an https URI (http is for loopback only)'
    : 'must be an https URI (http is for loopback only, and only with the option `development`)'
}

function isLoopback(hostname: string): boolean {
  const address = literalAddress(hostname)
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    address === '::1' ||
    (address?.startsWith('127.') ?? false)
  )
}

/** What is wrong with a list of initiators. Undefined: nothing. */
export function initiatorsProblem(initiators: unknown): string | undefined {
  const known = Array.isArray(initiators) && initiators.every((reason) => REASONS.includes(reason as Reason))
  return known ? undefined : `must be an array of ${REASONS.join(', ')}`
}

/** What is wrong with a member that says yes or no. Undefined: nothing. */
export function flagProblem(flag: unknown): string | undefined {
  return typeof flag === 'boolean' ? undefined : 'must be true or false'
}

/** The members of a client's metadata that are about back-channel logout. */
export const LOGOUT_MEMBERS: readonly string[] = [
  'backchannel_logout_uri',
  'backchannel_logout_session_required',
  INITIATORS,
  SKIP_SUPERSEDED,
  GOES_BY_SUB,
]

/** What is wrong with one of these; undefined: nothing. */
export function logoutMemberProblem(member: string, value: unknown, development: boolean): string | undefined {
  return member === 'backchannel_logout_session_required'
    ? flagProblem(value)
    : memberProblem(member, value, development)
}

/** What is wrong with a member that a client has; undefined: nothing, or the member is not ours. */
function memberProblem(member: string, value: unknown, development: boolean): string | undefined {
  if (member === 'backchannel_logout_uri') return uriProblem(value, development)
  if (member === INITIATORS) return initiatorsProblem(value)
  if (member === SKIP_SUPERSEDED || member === GOES_BY_SUB) return flagProblem(value)
  return undefined
}

/** The members that are checked. */
const MEMBERS = ['backchannel_logout_uri', INITIATORS, SKIP_SUPERSEDED, GOES_BY_SUB] as const

/** An error in the form that oidc-provider answers a registration with (RFC 7591 section 3.2.2). */
function invalidClientMetadata(description: string): Error {
  return Object.assign(new Error('invalid_client_metadata'), {
    status: 400,
    statusCode: 400,
    expose: true,
    error: 'invalid_client_metadata',
    error_description: description,
  })
}

interface ProviderConfiguration {
  readonly clients?: readonly Readonly<Record<string, unknown>>[]
  readonly clientDefaults?: Readonly<Record<string, unknown>>
  readonly features?: Readonly<Record<string, { readonly enabled?: boolean } | undefined>>
  readonly extraClientMetadata?: {
    readonly properties?: readonly string[]
    readonly validator?: (ctx: unknown, property: string, value: unknown, metadata: Record<string, unknown>) => void
  }
}

/**
 * The provider's configuration with what back-channel logout needs: the feature, the default that makes ID tokens carry
 * a `sid`, the checks of what clients register.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`) when a client of the configuration has an unusable URI
 */
export function withBackChannelLogout<C extends object>(configuration: C, development: boolean): C {
  const given = configuration as ProviderConfiguration
  if (given.features?.['backchannelLogout']?.enabled === false) {
    throw new OptionInvalidError(
      'features.backchannelLogout.enabled',
      'must not be false: switch it off with backChannelLogout({ enabled: false })',
    )
  }
  for (const client of given.clients ?? []) assertClient(client, development)
  const extra = given.extraClientMetadata
  const complete: ProviderConfiguration = {
    ...given,
    features: { ...given.features, backchannelLogout: { enabled: true } },
    clientDefaults: { backchannel_logout_session_required: true, ...given.clientDefaults },
    extraClientMetadata: {
      ...extra,
      properties: [...new Set([...(extra?.properties ?? []), ...MEMBERS])],
      validator(ctx, property, value, metadata) {
        // Without a context the client is a stored one: an error would disable it. It is not registered for logout instead.
        if (ctx !== undefined) assertMetadata(property, value, development)
        if (extra?.properties?.includes(property)) extra.validator?.(ctx, property, value, metadata)
      },
    },
  }
  return complete as C
}

function assertMetadata(property: string, value: unknown, development: boolean): void {
  if (value === undefined) return
  const problem = memberProblem(property, value, development)
  if (problem !== undefined) throw invalidClientMetadata(`${property} ${problem}`)
}

function assertClient(client: Readonly<Record<string, unknown>>, development: boolean): void {
  const where = `clients[client_id=${String(client['client_id'])}]`
  for (const member of MEMBERS) {
    const problem = client[member] === undefined ? undefined : memberProblem(member, client[member], development)
    if (problem !== undefined) throw new OptionInvalidError(`${where}.${member}`, problem)
  }
}
