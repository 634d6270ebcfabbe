/** A request that is answered with an error. Its `code` is for programs and stays; its message is for people. */
export class WebError extends Error {
  override readonly name = 'WebError'
  /** The HTTP status. */
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** Errors of the package that are the caller's to know, by their code, and the status of each. */
const STATUS: ReadonlyMap<unknown, number> = new Map([
  ['OPTION_INVALID', 400],
  ['NOT_A_DEAD_LETTER', 409],
  ['OUTCOME_UNKNOWN', 503],
  ['PROVIDER_UNFIT', 503], // not started yet, or stopping
  ['STORE_CLOSED', 503],
  ['STORE_UNAVAILABLE', 503],
  ['TERMINATION_UNFINISHED', 503],
])

/** What is answered for an error; undefined for an unforeseen one, whose details are not for the caller. */
export function asWebError(error: unknown): WebError | undefined {
  if (error instanceof WebError) return error
  if (!(error instanceof Error && 'code' in error)) return undefined
  const status = STATUS.get(error.code)
  return status === undefined ? undefined : new WebError(status, String(error.code), error.message)
}

/** `{ "error": { "code", "message" } }` */
export function errorResponse(
  { status, code, message }: WebError,
  headers?: Readonly<Record<string, string>>,
): Response {
  return Response.json({ error: { code, message } }, { status, ...(headers && { headers }) })
}
