import { createHash } from 'node:crypto'

/** What may be odd about the documents of another adapter. The codes are stable. */
export type AnomalyCode =
  /** No id or no payload is where the layout says. Left behind. */
  | 'unreadable'
  /** It is of none of oidc-provider's models, or of another one than its collection. Left behind. */
  | 'unknown_kind'
  /** A session of oidc-provider 6 or earlier: its authorizations hold no grants. Left behind. */
  | 'former_session'
  /** A token of oidc-provider 6 or earlier, or of a format that is not stored any more. Left behind. */
  | 'former_token'
  /** A code of which nobody knows whether it was used. Left behind, unless `codes` is `all`. */
  | 'use_never_recorded'
  /** A refresh token of which nobody knows whether it was used. Taken. */
  | 'refresh_use_never_recorded'
  /** The log does not take it: too large, or no JSON. Left behind. */
  | 'refused'
  /** Another session has the same uid. The one that expires last is taken. */
  | 'duplicate_uid'
  /** The grant that it was issued under is not there: oidc-provider refuses it. Taken. */
  | 'grant_missing'
  /** The payload lives, and the document's own date has passed: MongoDB may remove it any time. Taken. */
  | 'live_but_expired'
  /** The document's own date is none. Taken. */
  | 'expiry_invalid'
  /** A secret of a client that is no text. Taken as it is, unless `transform` changes it. */
  | 'secret_unreadable'
  /** It was taken, is not in the source any more, and was not ended, since the OP on the log is in use. */
  | 'vanished'

/** One kind of oddity, and where it was seen. */
export interface Anomaly {
  readonly code: AnomalyCode
  readonly count: number
  /** A few of them: the collection, and the beginning of the SHA-256 of the id. Ids are bearer values, and are not told. */
  readonly samples: readonly string[]
}

/** So many samples are kept of each anomaly. */
const SAMPLES = 5

/** Counts anomalies. Its size does not depend on how many there are. */
export class Anomalies {
  readonly #found = new Map<AnomalyCode, { count: number; readonly samples: string[] }>()

  add(code: AnomalyCode, collection: string, id: string | undefined): void {
    const found = this.#found.get(code) ?? { count: 0, samples: [] }
    this.#found.set(code, found)
    found.count += 1
    if (found.samples.length < SAMPLES) found.samples.push(`${collection}#${id === undefined ? 'none' : shortHash(id)}`)
  }

  list(): Anomaly[] {
    return [...this.#found].map(([code, { count, samples }]) => ({ code, count, samples: [...samples] }))
  }
}

/** The first 12 hexadecimal digits of the SHA-256 of an id. */
export function shortHash(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 12)
}
