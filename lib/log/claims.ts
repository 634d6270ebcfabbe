import { AlreadyClaimedError, ConcurrencyError, type EventStoreError, IdempotencyMismatchError } from '../errors.ts'
import type { Claim, NewCommit } from './commit.ts'

/** A claim as stores hold it: one string, unique over the whole log. */
export function encodeClaim(claim: Claim): string {
  switch (claim.kind) {
    case 'idempotency':
      return `i:${claim.key}`
    case 'once':
      return `o:${claim.mark}`
    case 'follows':
      return `v:${claim.stream}@${claim.after}`
  }
}

/** Every claim of a commit, its versions included, in their stored form; each once. */
export function claimsOf(commit: NewCommit): string[] {
  const claims = new Set<string>()
  for (const claim of commit.claims ?? []) claims.add(encodeClaim(claim))
  for (const event of commit.events) {
    if (event.version !== undefined) claims.add(versionClaim(event.stream, event.version))
  }
  return [...claims]
}

/** The claim that stands for one version of a versioned stream. */
export function versionClaim(stream: string, version: number): string {
  return `v:${stream}@${version}`
}

/**
 * What to tell the caller whose claims are held by others. An idempotency key decides before all else: the caller
 * repeats itself, and the rest of its claims are then its own.
 *
 * @param held - stored claims of this commit that other commits hold
 * @returns the stored form of the idempotency key, when that is what is held; otherwise the error to throw
 */
export function judgeHeld(held: readonly string[]): { idempotencyKey: string } | { error: EventStoreError } {
  const key = held.find((claim) => claim.startsWith('i:'))
  if (key !== undefined) return { idempotencyKey: key }
  const mark = held.find((claim) => claim.startsWith('o:'))
  if (mark !== undefined) return { error: new AlreadyClaimedError(mark.slice(2)) }
  const version = held[0] ?? ''
  return { error: new ConcurrencyError(version.slice(2, version.lastIndexOf('@'))) }
}

/** The error for a repeated idempotency key whose content differs. */
export function mismatch(idempotencyKey: string): IdempotencyMismatchError {
  return new IdempotencyMismatchError(idempotencyKey.slice(2))
}
