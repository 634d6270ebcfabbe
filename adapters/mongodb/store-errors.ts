import { EventStoreError, OptionInvalidError, StoreRefusedError, StoreUnavailableError } from '../../lib/errors.ts'
import { codeOf, isDiskFull, isPermanent } from './outcome.ts'

/** The server's codes for who asks: Unauthorized, AuthenticationFailed. */
const UNAUTHORIZED = 13
const AUTHENTICATION_FAILED = 18

/** A message of somebody else's is cut to so many characters. */
const MOST_CHARACTERS = 300

/** What Node.js says where a file cannot be read. */
const NOT_READ: ReadonlySet<unknown> = new Set(['ENOENT', 'EACCES', 'EISDIR'])

/** This package's error for what the driver threw. A write that was not answered may have been carried out. */
export function asStoreError(cause: unknown): EventStoreError {
  if (cause instanceof EventStoreError) return cause
  if (isDiskFull(cause)) return diskFull(cause)
  const why = whyOf(cause)
  if (isPermanent(cause)) return new StoreRefusedError(`MongoDB refuses (${why}): ${adviceOn(cause)}`, { cause })
  if (isFileNotRead(cause)) {
    return new OptionInvalidError(
      'tls',
      `names a file that cannot be read (${why}): see tlsCAFile, tlsCertificateKeyFile`,
    )
  }
  const doubt = mayDifferInTls(cause) ? ': do both the server and the address (tls=true) use TLS, or neither?' : ''
  return new StoreUnavailableError(`MongoDB cannot be reached or does not answer (${why})${doubt}`, { cause })
}

/** The error for a commit that MongoDB has not stored, and will not: for good, or before there is room on its disk. */
export function refusalOfCommit(cause: unknown): StoreRefusedError | StoreUnavailableError {
  if (cause instanceof StoreRefusedError) return cause
  if (isDiskFull(cause)) return diskFull(cause)
  const what = `MongoDB refuses the commit (${whyOf(cause)}): check the database user's rights and the server's log`
  return new StoreRefusedError(what, { cause })
}

/** Whether the server refuses because nobody has logged in: the address names no user. */
export function isAnonymous(cause: unknown): boolean {
  return codeOf(cause) === UNAUTHORIZED && /requires authentication/i.test(messageOf(cause))
}

function adviceOn(cause: unknown): string {
  if (isAnonymous(cause)) return 'the address names no user'
  // Atlas says "bad auth" under a code that it has for everything.
  const isUnknownUser = codeOf(cause) === AUTHENTICATION_FAILED || /^bad auth\b/i.test(messageOf(cause))
  if (isUnknownUser) return 'check the user, the password and authSource in the address'
  return 'check the rights of the database user'
}

/** The driver reads the files of its TLS options when it connects, and throws what Node.js says. */
function isFileNotRead(cause: unknown): boolean {
  const { name, code } = (cause ?? {}) as { readonly name?: unknown; readonly code?: unknown }
  return name === 'Error' && NOT_READ.has(code)
}

/**
 * Whether one end may use TLS and the other not: no server has ever answered, and none has said why. One end hangs up,
 * or both wait. Once a server has answered, its version is known to the driver.
 */
function mayDifferInTls(cause: unknown): boolean {
  const { name, reason } = (cause ?? {}) as {
    readonly name?: unknown
    readonly reason?: { readonly commonWireVersion?: unknown }
  }
  if (name !== 'MongoServerSelectionError' || reason?.commonWireVersion !== 0) return false
  return /closed$|timed out|ECONNRESET|before secure TLS connection|wrong version number/.test(messageOf(cause))
}

function diskFull(cause: unknown): StoreUnavailableError {
  const what = `the disk of the MongoDB server is full (${whyOf(cause)}): nothing was stored. Make room on it, and all goes on`
  return new StoreUnavailableError(what, { cause })
}

/**
 * An error's message. Of what OpenSSL says, the reason alone: it stands between routines, files and lines. Of a command
 * that the server repeats, its name alone: it holds commits.
 */
export function whyOf(cause: unknown): string {
  const whole = messageOf(cause).replace(/(to execute command) \{\s*(\w*).*/s, '$1 $2')
  const message = whole.length > MOST_CHARACTERS ? `${whole.slice(0, MOST_CHARACTERS)}…` : whole
  const [, library, reason] = /(?:^|:)error:[0-9A-F]+:([\w ]+) routines:[^:]*:([^:]+)/.exec(message) ?? []
  if (reason === undefined) return message
  return library === 'DECODER' ? `TLS: ${reason}: does tlsCertificateKeyFile hold a key?` : `TLS: ${reason}`
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
