/** A fault that the simulation must find: a rule of the protocol that is left out. */
export interface Mutant {
  readonly name: string
  /** The one that must find it. */
  readonly simulation: 'schedules' | 'reads'
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
    from: "level: 'majority'",
    to: "level: 'local'",
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
    to: 'this.guesses = (this.guesses ?? 0) + 1; const allocation = this.guesses % 2 ? await this.#allocate(batch) : { first: this.#parts.positions.seen + 1, size: batch.length }',
  },
  {
    name: 'appends that write the same stream go side by side',
    simulation: 'schedules',
    file: 'adapters/mongodb/append-queue.ts',
    from: 'if (behind > 0) this.#behind.set(pending, behind)\n    else this.#ready.add(pending)\n  }\n\n  /** Takes',
    to: 'this.#ready.add(pending)\n  }\n\n  /** Takes',
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
]
