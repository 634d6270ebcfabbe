/** A fault that the simulation must find: a rule of the protocol that is left out. */
export interface Mutant {
  readonly name: string
  /** The one that must find it. */
  readonly simulation: 'schedules' | 'reads' | 'retention'
  /** Of the package, as it is imported. */
  readonly file: string
  /** Text of the file without its types, and what stands there instead. */
  readonly from: string
  readonly to: string
}

/** Each leaves out one rule of `docs/event-log.md`. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'a reader delivers what lies behind a hole',
    simulation: 'schedules',
    file: 'adapters/mongodb/shared-runs.ts',
    from: 'Number(documents[length]?._id) === position + 1 + length',
    to: 'Number(documents[length]?._id) > position',
  },
  {
    name: 'a reader sees what no majority has',
    simulation: 'schedules',
    file: 'adapters/mongodb/shared-runs.ts',
    from: "filter: { _id: range },\n      sort: { _id: 1 },\n      limit: BATCH,\n      level: 'majority'",
    to: "filter: { _id: range },\n      sort: { _id: 1 },\n      limit: BATCH,\n      level: 'local'",
  },
  {
    name: 'a commit of unknown outcome gets a new position',
    simulation: 'schedules',
    file: 'adapters/mongodb/resolve-outcomes.ts',
    from: 'isThere(append) ? stored : resolve(pending, holders)',
    to: '{ retry: true }',
  },
  {
    name: 'a position is dead for a commit before it was read back',
    simulation: 'schedules',
    file: 'adapters/mongodb/tombstones.ts',
    from: 'const failure = await insertTombstones(collections, clock, missing)',
    to: 'const failure = await insertTombstones(collections, clock, missing); return new Map(positions.map((p) => [p, owners.get(p) ?? "tombstone"]))',
  },
  {
    name: 'what the resolution decides on is read before a majority has it',
    simulation: 'schedules',
    file: 'adapters/mongodb/tombstones.ts',
    from: 'collections.majorityEvents',
    to: 'collections.events',
  },
  {
    name: 'holders of claims are not looked up',
    simulation: 'schedules',
    file: 'adapters/mongodb/resolve-outcomes.ts',
    from: 'if (claims.length === 0) return []',
    to: 'if (claims.length >= 0) return []',
  },
  {
    name: 'a reply with a write-concern error is an acknowledgement',
    simulation: 'schedules',
    file: 'adapters/mongodb/outcome.ts',
    from: "if ('error' in answer) return all(size, outcomeOfFailure(answer.error))\n  const { reply } = answer\n  const writeErrors",
    to: "if ('error' in answer) return answer.error?.name === 'MongoWriteConcernError' ? all(size, STORED) : all(size, outcomeOfFailure(answer.error))\n  const { reply } = answer\n  const writeErrors",
  },
  {
    name: 'a command without an answer is an acknowledgement',
    simulation: 'schedules',
    file: 'adapters/mongodb/outcome.ts',
    from: "isPermanent(error) && !isConcernError(error) ? { kind: 'refused', error } : { kind: 'unknown', error }",
    to: "isPermanent(error) && !isConcernError(error) ? { kind: 'refused', error } : STORED",
  },
  {
    name: 'a version needs no predecessor',
    simulation: 'schedules',
    file: 'adapters/mongodb/predecessors.ts',
    from: 'if (!found) throw new ConcurrencyError(stream)',
    to: 'if (!found) continue',
  },
  {
    name: 'a position is guessed now and then, and not taken from the counter',
    simulation: 'schedules',
    file: 'adapters/mongodb/appender.ts',
    from: 'const allocation = await this.#allocate(batch)',
    to: 'this.guesses = (this.guesses ?? 0) + 1; const allocation = this.guesses % 2 ? await this.#allocate(batch) : { first: this.#parts.positions.seen + 1, size: batch.length, asked: { monotonic: this.#parts.clock.monotonic(), wall: this.#parts.clock.now() } }',
  },
  {
    name: 'appends that write the same stream go side by side',
    simulation: 'schedules',
    file: 'adapters/mongodb/append-queue.ts',
    from: 'if (behind > 0) this.#behind.set(pending, behind)\n    else this.#ready.add(pending)\n  }\n\n  /** Takes',
    to: 'this.#ready.add(pending)\n  }\n\n  /** Takes',
  },
  {
    name: 'an insert at a position that was retired while its writer slept is acknowledged',
    simulation: 'schedules',
    file: 'adapters/mongodb/resolve-outcomes.ts',
    from: 'if (position <= floor)',
    to: 'if (position < 0)',
  },
  {
    name: 'a commit goes before the floor is raised to it',
    simulation: 'schedules',
    file: 'adapters/mongodb/retention-table.ts',
    from: "await this.#collections.withTimeout((signal) => this.#collections.update('counters', floor, signal))",
    to: 'void floor',
  },
  {
    name: 'what is held is kept when another primary was elected',
    simulation: 'reads',
    file: 'adapters/mongodb/primary-watch.ts',
    from: 'if (primaryOf(before) !== primaryOf(now)) changed()',
    to: 'void changed',
  },
  {
    name: 'positions that were missing are not asked for again',
    simulation: 'reads',
    file: 'adapters/mongodb/followed-log.ts',
    from: 'run.holes.set(hole, now)',
    to: 'void hole',
  },
  {
    name: 'what others have appended does not get to what is held',
    simulation: 'reads',
    file: 'adapters/mongodb/followed-log.ts',
    from: 'if (found.length > 0) this.#listener.found(found)',
    to: 'void found',
  },
  {
    name: 'what the process has appended does not get to what it holds',
    simulation: 'reads',
    file: 'lib/provider/followed-streams.ts',
    from: 'appended: (commit) => this.#held.add(commit)',
    to: 'appended: () => {}',
  },
  {
    name: 'a mark goes before the state that it speaks of',
    simulation: 'retention',
    file: 'lib/retention/model-rule.ts',
    from: "if (own.some((other) => other.type === 'stored' && other.generation <= generationOf(event))) return false",
    to: '',
  },
  {
    name: 'the newest of a uid goes before what it keeps down',
    simulation: 'retention',
    file: 'lib/retention/model-rule.ts',
    from: 'if (!decidesNothing(fact, unit, context)) return false',
    to: '',
  },
  {
    name: 'a state goes that alone names a sid of a live session',
    simulation: 'retention',
    file: 'lib/retention/model-rule.ts',
    from: 'const unnamed = sids.filter',
    to: 'return false; const unnamed = sids.filter',
  },
  {
    name: 'the end of a grant goes before what was issued under it',
    simulation: 'retention',
    file: 'lib/retention/model-rule.ts',
    from: 'return end !== undefined && remaining.grantable >= end',
    to: 'return true',
  },
  {
    name: 'a state goes by its age alone',
    simulation: 'retention',
    file: 'lib/retention/model-rule.ts',
    from: 'if (!decidesNothing(fact, unit, context)) return false',
    to: "if (event.type === 'stored') return true",
  },
]
