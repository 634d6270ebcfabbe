/** What an attempt came to, as the wire shows it. */
export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string; readonly retryAfter?: string }
  /** Nothing was answered: no connection, a broken one, a bad certificate, no answer in time, a token that could not be made. */
  | { readonly kind: 'failed'; readonly error: string }
