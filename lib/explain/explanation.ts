/** Why something is found, or is not. */
export type Verdict =
  /** Nothing of it is in the log: it was never stored under these keys, or so long ago that retention has removed it. */
  | 'never_stored'
  /** A JWT: oidc-provider does not store them. */
  | 'not_stored'
  /** It is as good as when it was issued. */
  | 'valid'
  | 'expired'
  /** It was good for one use, and that was made. */
  | 'used'
  /** What it was issued under was revoked or has ended, or it was ended itself. */
  | 'revoked'
  /** The grant that it was issued under has expired. */
  | 'grant_expired'
  /** It lasts as long as its session, which has ended. */
  | 'session_ended'
  /** It was ended itself. */
  | 'ended'
  /** A session that goes on under another cookie value. */
  | 'rotated'
  /** Another issuer of the same log has stored it. */
  | 'another_issuer'
  /** It was sealed with a key that this process does not have, or was changed since. */
  /** It belonged to an account that was forgotten. */
  | 'forgotten'
  | 'unreadable'

/** What happened to it. */
export interface Fact {
  readonly position: number
  /** When, milliseconds since 1970. */
  readonly at: number
  /** What it happened to: a model's name. */
  readonly model: string
  readonly what: 'stored' | 'stored_again' | 'used' | 'ended' | 'rotated' | 'revoked'
  /** The issuer whose request it was. */
  readonly issuer?: string
  /** Who did it, where that is not the user of the request. */
  readonly actor?: string
  /** Why a session ended. */
  readonly reason?: string
  /** What else the same commit did, as `<model> <what>`. */
  readonly beside: readonly string[]
}

/** What the log says of something. Nothing in it is secret. */
export interface Explanation {
  /** The model; absent: nothing of it is in the log. */
  readonly model?: string
  readonly verdict: Verdict
  /** In a sentence, for people. */
  readonly summary: string
  /** Oldest first: the newest 100 commits that name it, and what ended its grant. */
  readonly facts: readonly Fact[]
}
