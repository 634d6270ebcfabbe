/** The code of an error of jose. By code, not by class: a key getter may come from another copy of jose. */
export function joseErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
