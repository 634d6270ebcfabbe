/** A request that is answered with an error: its code is for programs and stays, its message for people. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
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

/** What is answered; undefined for what nobody foresaw, whose details are nobody's business. */
export function asApiError(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error
  if (!(error instanceof Error && 'code' in error)) return undefined
  const status = STATUS.get(error.code)
  return status === undefined ? undefined : new ApiError(status, String(error.code), error.message)
}
