/** What a candidate did in one turn. */
export interface Turn {
  /** How many things it did. */
  readonly done: number
  readonly tookMs: number
  /** CPU that its processes used, in milliseconds. */
  readonly cpuMs: number
  /** How long each took, in milliseconds; or some of them. */
  readonly eachMs: readonly number[]
}

export interface Candidate {
  readonly name: string
  /** Does its work for about so long. */
  turn(forMs: number): Promise<Turn>
}

/** A figure over all rounds. */
export interface Figure {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** What came of a candidate, and of it to the one that the others are compared with, in the same round. */
export interface Result {
  readonly name: string
  readonly perSecond: Figure
  /** Times as many as the candidate to compare with. */
  readonly ratio: Figure
  readonly cpuMsEach: Figure
  readonly p50Ms: Figure
  readonly p99Ms: Figure
  /** Of all rounds together, where a turn has too few for a p99 of its own. */
  readonly p99OfAllMs: number
}

export interface Rounds {
  readonly rounds: number
  readonly turnMs: number
}

/**
 * Has candidates do the same work in turns. What counts is the ratio within a round: the figures of different runs or
 * machines say nothing about each other. The order changes from round to round, and a first turn of each warms up.
 *
 * @param to - the name of the candidate that the others are compared with
 */
export async function contest(
  candidates: readonly Candidate[],
  to: string,
  { rounds, turnMs }: Rounds,
): Promise<Result[]> {
  const turns = new Map<string, Turn[]>(candidates.map(({ name }) => [name, []]))
  for (const candidate of candidates) await candidate.turn(turnMs / 2)
  for (let round = 0; round < rounds; round++) {
    for (const candidate of round % 2 ? candidates.toReversed() : candidates) {
      turns.get(candidate.name)?.push(await candidate.turn(turnMs))
    }
  }
  const base = turns.get(to) ?? []
  return candidates.map(({ name }) => {
    const own = turns.get(name) ?? []
    return {
      name,
      perSecond: figure(own.map(rateOf)),
      ratio: figure(own.map((turn, round) => rateOf(turn) / rateOf(base[round] as Turn))),
      cpuMsEach: figure(own.map(({ cpuMs, done }) => cpuMs / done)),
      p50Ms: figure(own.map(({ eachMs }) => quantile(eachMs, 0.5))),
      p99Ms: figure(own.map(({ eachMs }) => quantile(eachMs, 0.99))),
      p99OfAllMs: quantile(
        own.flatMap(({ eachMs }) => eachMs),
        0.99,
      ),
    }
  })
}

/** Does something over and over, so many at a time, for about so long; each at least once. */
export async function keepInFlight(
  inFlight: number,
  forMs: number,
  work: (walker: number) => Promise<number>,
): Promise<Turn> {
  const eachMs: number[] = []
  let done = 0
  const cpu = process.cpuUsage()
  const started = performance.now()
  const walk = async (walker: number): Promise<void> => {
    let began = started
    do {
      const more = await work(walker)
      done += more
      const now = performance.now()
      if (eachMs.length < 200_000) eachMs.push(now - began)
      began = now
    } while (began < started + forMs)
  }
  await Promise.all(Array.from({ length: inFlight }, (_, walker) => walk(walker)))
  const { user, system } = process.cpuUsage(cpu)
  return { done, tookMs: performance.now() - started, cpuMs: (user + system) / 1_000, eachMs }
}

/**
 * A candidate that is told how many things to do, not for how long: as many as it did in the time before.
 *
 * @param first - so many at first, to learn how many a turn has; and at least so many in each turn
 */
export function countedCandidate(name: string, first: number, work: (things: number) => Promise<Turn>): Candidate {
  let perSecond: number | undefined
  return {
    name,
    turn: async (forMs) => {
      perSecond ??= rateOf(await work(first))
      const turn = await work(Math.max(first, Math.round((perSecond * forMs) / 1_000)))
      perSecond = rateOf(turn)
      return turn
    },
  }
}

/** The turns of processes that ran at the same time, as one. */
export function together(turns: readonly Turn[]): Turn {
  const sum = (of: (turn: Turn) => number): number => turns.reduce((total, turn) => total + of(turn), 0)
  return {
    done: sum(({ done }) => done),
    tookMs: Math.max(...turns.map(({ tookMs }) => tookMs)),
    cpuMs: sum(({ cpuMs }) => cpuMs),
    eachMs: turns.flatMap(({ eachMs }) => eachMs),
  }
}

function rateOf({ done, tookMs }: Turn): number {
  return (done * 1_000) / tookMs
}

/** One figure of many: the least, the most, and the one in the middle. */
export function figure(values: readonly number[]): Figure {
  return { median: quantile(values, 0.5), least: Math.min(...values), most: Math.max(...values) }
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}
