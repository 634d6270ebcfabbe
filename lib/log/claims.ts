import { AlreadyClaimedError, ConcurrencyError, type EventStoreError } from '../errors.ts'
import type { Claim, NewCommit } from './commit.ts'

/** A claim as stores hold it: one string, unique over the whole log. */
export function encodeClaim(claim: Claim): string {
  switch (claim.kind) {
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
 * The error for a caller whose claims are held by others. A once-only mark decides before a version: what it stands for is
 * done, and no newer state changes that.
 *
 * @param held - stored claims of the commit that other commits hold; at least one
 */
export function refusalOf(held: readonly string[]): EventStoreError {
  const mark = held.find((claim) => claim.startsWith('o:'))
  if (mark !== undefined) return new AlreadyClaimedError(mark.slice(2))
  const version = held[0] ?? ''
  return new ConcurrencyError(version.slice(2, version.lastIndexOf('@')))
}
