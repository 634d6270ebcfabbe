import assert from 'node:assert/strict'
import type { Commit } from '../../../lib/log/commit.ts'
import type { EventStore } from '../../../lib/log/event-store.ts'
import { versionsOf } from './version-order.ts'

/** The whole log, read in pages. */
export async function wholeLog(store: EventStore, after: number = 0): Promise<Commit[]> {
  const commits: Commit[] = []
  for (let position = after; ; ) {
    const page = await store.readAll({ after: position, limit: 1000 })
    const last = page.at(-1)
    if (!last) return commits
    commits.push(...page)
    position = last.position
  }
}

/** Positions rise, ids are unique, nothing empty is handed out, versions of each stream are dense. */
export function assertInvariants(commits: readonly Commit[], { dense }: { readonly dense: boolean }): void {
  assert.equal(new Set(commits.map(({ id }) => id)).size, commits.length, 'an id is there twice')
  for (const [index, { position, events }] of commits.entries()) {
    const before = commits[index - 1]
    assert.ok(Number.isSafeInteger(position))
    assert.ok(events.length > 0, `nothing happened at position ${position}`)
    if (!before) continue
    assert.ok(position > before.position, `${position} came after ${before.position}`)
    if (dense) assert.equal(position, before.position + 1, 'a position is missing')
  }
  for (const [stream, versions] of versionsOf(commits)) {
    assert.deepEqual(
      versions,
      versions.map((_, index) => index + 1),
      `versions of ${stream}`,
    )
  }
}

/** All of them, each at exactly the position that was acknowledged. */
export function assertHoldsOnce(
  commits: readonly Commit[],
  acknowledged: Iterable<{ id: string; position: number }>,
): void {
  const positions = new Map<string, number[]>()
  for (const { id, position } of commits) positions.set(id, [...(positions.get(id) ?? []), position])
  for (const { id, position } of acknowledged)
    assert.deepEqual(positions.get(id), [position], `acknowledged at ${position}`)
}
