import assert from 'node:assert/strict'
import type { Commit } from '../../lib/index.ts'
import type { NewestCommits } from '../../lib/provider/look-up.ts'
import { Moment } from '../../lib/provider/moment.ts'
import { StreamReader, WINDOW } from '../../lib/provider/stream-reader.ts'
import { commitOf } from '../support/appending.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { LogProcess } from '../support/log-process.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { type Fate, ServerInMemory } from '../support/server-in-memory.ts'
import { type Played, ScheduleFailed } from './played.ts'

/** Streams that are written and read at a time; each is left behind after a while. */
const STREAMS = 8

/** So many requests and appends of all processes are under way at most. */
const MOST_OPEN = 12

/** Steps of a seed. */
export const STEPS = 1_000

const FATES: readonly Fate[] = ['lost', 'answer lost', 'late', 'no majority', 'rolled back', 'not primary']

type Random = () => number

/**
 * Two processes write and read the same streams, at random, on a server whose commands and answers take their time, meet
 * each other, fail, and are undone by fail-overs. Each answer is held against all that was known when it was asked for:
 * nothing that was acknowledged to anybody, or read by anybody, before a request began is missing in what it reads; nothing
 * that a fail-over has undone is read by a request that began after it. The same seed makes the same run.
 *
 * @throws ScheduleFailed at the first answer that is wrong
 */
export async function simulateReads(seed: number, steps: number = STEPS): Promise<Played> {
  const trace: string[] = []
  try {
    return await simulate(seed, steps, trace)
  } catch (error) {
    throw new ScheduleFailed(seed, trace, error)
  }
}

async function simulate(seed: number, steps: number, trace: string[]): Promise<Played> {
  const random = seededRandom(seed)
  const clock = new FakeClock()
  const server = new ServerInMemory()
  const history = new History(trace, (id) => server.documents.some(({ c }) => c === id))
  const failureRate = random() < 0.5 ? 0 : random() * 0.1
  const failOverRate = random() < 0.5 ? 0 : random() * 0.03
  let failOvers = 0
  const turns = async (): Promise<void> => {
    for (let left = Math.floor(random() * 4); left > 0; left--) await turn()
  }
  server.takes = turns
  server.answers = turns
  server.fateOf = (command, _body, client) => {
    const fate = random() < failureRate ? oneOf(random, FATES) : 'answered'
    if (command !== 'find' || fate !== 'answered') trace.push(`p${client} ${command}: ${fate}`)
    return fate
  }
  server.onUndone = ({ c }) => history.undo(c)
  const processes = [0, 1].map(() => {
    const process = new LogProcess(server, clock, { fastPath: random() < 0.5 })
    return { log: process, reader: new StreamReader(process.store, clock) }
  })
  const open = new Set<Promise<void>>()
  let first = 0
  for (let step = 0; step < steps; step++) {
    const { log, reader } = oneOf(random, processes)
    if (random() < 0.02) first++
    const stream = `Thing:${first + Math.floor(random() * STREAMS)}`
    const doing = random() < 0.4 ? write(log, stream, history) : read(reader, first, random, clock, history)
    open.add(doing)
    void doing.then(
      () => open.delete(doing),
      () => {},
    )
    if (random() < 0.01) await clock.advance(random() * 1_500)
    if (random() < failOverRate) {
      failOvers++
      trace.push('a fail-over')
      server.failOver()
    }
    for (let waited = 0; open.size >= MOST_OPEN; waited++) {
      await Promise.race([turn(), ...open])
      if (waited > 100) await clock.advance(250) // somebody waits for a time limit
    }
  }
  server.fateOf = () => 'answered'
  while (open.size > 0) {
    await Promise.race([turn(), ...open])
    await clock.advance(250)
  }
  const finds = server.commands.filter((command) => command === 'find').length
  for (const { log } of processes) await log.stop()
  return {
    trace,
    counts: {
      runs: 1,
      appended: history.appended,
      read: history.read,
      finds,
      undone: history.undone,
      failOvers,
    },
  }
}

async function write(log: LogProcess, stream: string, history: History): Promise<void> {
  const { id } = await log.append(commitOf(stream, { stream }))
  if (id !== undefined) history.acknowledged(stream, id)
}

/** A request: one look-up after the other, at the moment that its first one has set. */
async function read(
  reader: StreamReader,
  first: number,
  random: Random,
  clock: FakeClock,
  history: History,
): Promise<void> {
  const began = history.now
  const moment = random() < 0.8 ? new Moment() : undefined
  for (let left = 1 + Math.floor(random() * 3); left > 0; left--) {
    const name = `Thing:${first + Math.floor(random() * STREAMS)}`
    const wanted = random() < 0.3 ? 2 : WINDOW
    const asked = moment?.lasts(clock) ? began : history.now
    const found = await reader
      .newest({ names: [name], wanted, room: Math.max(8, wanted) }, moment)
      .catch(() => undefined)
    if (found) history.found(name, asked, wanted, found)
  }
}

/** What everybody has learned, and when. */
class History {
  readonly #isStored: (id: string) => boolean
  now = 0
  appended = 0
  read = 0
  undone = 0
  /** By stream: commits that somebody was told of, and since when. */
  readonly #known = new Map<string, Map<string, number>>()
  readonly #undone = new Map<string, number>()
  readonly #positions = new Map<string, number>()

  readonly #trace: string[]

  /**
   * @param trace - is told what becomes known
   * @param isStored - whether the commit with this id is in the log
   */
  constructor(trace: string[], isStored: (id: string) => boolean) {
    this.#trace = trace
    this.#isStored = isStored
  }

  acknowledged(stream: string, id: string): void {
    this.appended++
    this.#learn(stream, id, ++this.now)
    this.#trace.push(`${this.now}: ${id} of ${stream} is acknowledged`)
  }

  undo(id: string): void {
    this.undone++
    this.#undone.set(id, ++this.now)
    this.#trace.push(`${this.now}: ${id} is undone`)
    for (const known of this.#known.values()) known.delete(id)
  }

  /** @param asked - when the request began */
  found(stream: string, asked: number, wanted: number, { commits, complete }: NewestCommits): void {
    this.read++
    const at = ++this.now
    const given = commits.map(({ position, id }) => `${id} at ${position}`).join(', ')
    this.#trace.push(`${at}: of ${stream} is found, asked at ${asked}: ${given}${complete ? ', which is all' : ''}`)
    const positions = commits.map(({ position }) => position)
    assert.deepEqual(
      positions,
      [...new Set(positions)].sort((a, b) => a - b),
      'each once, in order',
    )
    assert.ok(complete || commits.length >= wanted, 'as many as were wanted, or all')
    const ids = new Set(commits.map(({ id }) => id))
    for (const [id, since] of this.#known.get(stream) ?? []) {
      if (since > asked || ids.has(id)) continue
      assert.ok(!complete && this.#isOlder(id, commits), `${id} of ${stream} was known at ${since}, before ${asked}`)
    }
    for (const id of ids) {
      // Whose writer has repeated it is there again.
      if (this.#undone.has(id) && this.#isStored(id)) this.#undone.delete(id)
      const undone = this.#undone.get(id)
      assert.ok(undone === undefined || undone > asked, `${id} of ${stream} was undone at ${undone}, before ${asked}`)
      if (undone === undefined) this.#learn(stream, id, at)
    }
    for (const commit of commits) this.#positions.set(commit.id, commit.position)
  }

  #isOlder(id: string, [oldest]: readonly Commit[]): boolean {
    const position = this.#positions.get(id)
    return oldest !== undefined && (position === undefined || position < oldest.position)
  }

  #learn(stream: string, id: string, at: number): void {
    const known = this.#known.get(stream) ?? new Map<string, number>()
    this.#known.set(stream, known)
    if (!known.has(id)) known.set(id, at)
  }
}

function oneOf<T>(random: Random, those: readonly T[]): T {
  return those[Math.floor(random() * those.length)] as T
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
