/** What an RP said last, or why it said nothing, in a line. */
export function lastAnswer({
  status,
  error,
  answer,
}: {
  readonly status?: number
  readonly error?: string
  readonly answer?: string
}): string {
  if (status === undefined) return error ?? '–'
  return answer === undefined || answer === '' ? String(status) : `${status} · ${answer}`
}
