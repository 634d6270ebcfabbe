/** Why the server's answer is missing. */
export type FailureKind =
  /** Nothing answered: no network, no server, or it took too long. */
  | 'offline'
  /** Nobody is signed in any more. */
  | 'signedOut'
  /** Who is signed in may not do this. */
  | 'forbidden'
  | 'notFound'
  /** What was asked for is wrong; the message says what. */
  | 'refused'
  /** The server could not, or its store. */
  | 'failed'

/** A request that was not answered as it should be. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly kind: FailureKind
  /** The server's stable code; absent where no server answered. */
  readonly code: string | undefined
  /** The field of the form that the server's message is about. */
  readonly field: string | undefined
  constructor(
    kind: FailureKind,
    message: string,
    { code, field }: { readonly code?: string; readonly field?: string } = {},
  ) {
    super(message)
    this.kind = kind
    this.code = code
    this.field = field
  }
}

/** What people read of any error. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  return new Failure('failed', error instanceof Error ? error.message : String(error))
}

/** No server has said that nothing was done: the answer may have been lost on its way. */
export function isOutcomeUnknown({ kind, code }: Failure): boolean {
  return code === 'OUTCOME_UNKNOWN' || (code === undefined && (kind === 'offline' || kind === 'failed'))
}

export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

/** The failure that an answer tells. Answers of proxies hold no JSON. */
export function failureOf(status: number, body: unknown): Failure {
  const { code, message, field } = errorIn(body)
  const about = { ...(code !== undefined && { code }), ...(field !== undefined && { field }) }
  return new Failure(kindOf(status), message ?? `the server answered ${status}`, about)
}

function kindOf(status: number): FailureKind {
  switch (status) {
    case 401:
      return 'signedOut'
    case 403:
      return 'forbidden'
    case 404:
      return 'notFound'
    default:
      return status >= 500 ? 'failed' : 'refused'
  }
}

function errorIn(body: unknown): { code?: string; message?: string; field?: string } {
  const error: unknown = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined
  if (typeof error !== 'object' || error === null) return {}
  const { code, message, field } = error as Readonly<Record<string, unknown>>
  return {
    ...(typeof code === 'string' && { code }),
    ...(typeof message === 'string' && { message }),
    ...(typeof field === 'string' && { field }),
  }
}
