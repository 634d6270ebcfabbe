import type { Commit } from '../../../lib/log/commit.ts'

/** The versions of each versioned stream, in the order of the log. */
export function versionsOf(commits: readonly Commit[]): Map<string, number[]> {
  const versions = new Map<string, number[]>()
  for (const { stream, version } of commits.flatMap(({ events }) => events)) {
    if (version === undefined) continue
    const known = versions.get(stream)
    if (known) known.push(version)
    else versions.set(stream, [version])
  }
  return versions
}
