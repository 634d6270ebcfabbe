/** What became of a logout token whose `sub` and `sid` nobody has. */
export type ClientTest =
  | {
      readonly kind: 'answered'
      readonly status: number
      /** The start of what the RP said, without what looks like a token. */
      readonly answer: string
      /** What it would mean for a delivery. */
      readonly verdict: 'confirmed' | 'rejected' | 'retried'
      /** How long the request took, in milliseconds. */
      readonly tookMs: number
      readonly uri: string
      readonly sid: string
    }
  /** Nothing was answered: no connection, a bad certificate, no answer in time. */
  | {
      readonly kind: 'failed'
      readonly error: string
      readonly tookMs: number
      readonly uri: string
      readonly sid: string
    }
  /** Nothing was sent. `busy`: this process tests as many RPs as may be tested at a time, or this one. */
  | {
      readonly kind: 'not_sent'
      readonly why: 'feature_off' | 'client_unknown' | 'no_uri' | 'uri_invalid' | 'token_not_made' | 'busy'
      readonly message: string
    }
