import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { MongoClient } from 'mongodb'
import type { Result, Rounds } from './contest.ts'
import { drawRatios, type Ratio } from './plot.mjs'

/** What a candidate did, and under which circumstances. What was not measured is left out. */
export interface Row extends Partial<Result> {
  readonly name: string
  readonly where: Readonly<Record<string, string | number>>
  /** Further figures of this benchmark alone. */
  readonly details?: Readonly<Record<string, number>>
}

export interface BenchmarkOptions extends Rounds {
  /** A log of so many commits takes part as well, where logs of several sizes do. */
  readonly commits?: number | undefined
  /** Whether it is to end soon. */
  readonly quick: boolean
  /** Whether candidates take part that need packages of their own. */
  readonly peers: boolean
}

export interface Benchmark {
  readonly name: string
  /** What the plot says. */
  readonly title: string
  run(options: BenchmarkOptions): Promise<Row[]>
}

/** What a figure was measured on: it says nothing of other machines. */
export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGb: number
  readonly node: string
  readonly server: string
  readonly date: string
  /** How long it was measured. */
  readonly run: string
}

export async function machineOf(uri: string, kind: string, { rounds, turnMs }: Rounds): Promise<Machine> {
  const client = await MongoClient.connect(uri)
  const { version } = await client.db('admin').command({ buildInfo: 1 })
  await client.close()
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    server: `${kind}, as MongoDB ${version}`,
    date: new Date().toISOString().slice(0, 10),
    run: `${rounds} rounds of ${turnMs / 1_000} s`,
  }
}

/** What every benchmark may tell of a candidate. */
const FIGURES: Readonly<Record<string, (row: Row) => string>> = {
  'per second': ({ perSecond }) => short(perSecond?.median),
  ratio: ({ ratio }) => short(ratio?.median),
  '(range)': ({ ratio }) => (ratio ? `${short(ratio.least)} to ${short(ratio.most)}` : ''),
  'CPU ms each': ({ cpuMsEach }) => short(cpuMsEach?.median),
  'p50 ms': ({ p50Ms }) => short(p50Ms?.median),
  'p99 ms': ({ p99Ms }) => short(p99Ms?.median),
}

/** The table that is printed, and that `docs/benchmarks` keeps: without the columns that nobody has anything for. */
export function tableOf(rows: readonly Row[]): string {
  const keysOf = (of: (row: Row) => object): string[] => [...new Set(rows.flatMap((row) => Object.keys(of(row))))]
  const columns: [string, (row: Row) => string][] = [
    ...keysOf(({ where }) => where).map((key): [string, (row: Row) => string] => [
      key,
      ({ where }) => String(where[key] ?? ''),
    ]),
    ['', ({ name }) => name],
    ...Object.entries(FIGURES).filter(([, cell]) => rows.some((row) => cell(row) !== '')),
    ...keysOf(({ details = {} }) => details).map((key): [string, (row: Row) => string] => [
      key,
      ({ details }) => short(details?.[key]),
    ]),
  ]
  const head = columns.map(([title]) => title)
  const lines = rows.map((row) => columns.map(([, cell]) => cell(row)))
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Writes the table, the figures and the plot of a benchmark into a folder. */
export async function write(
  folder: string,
  { name, title }: Benchmark,
  rows: readonly Row[],
  on: Machine,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const machine = `${on.date}; ${on.run}; ${on.cores} cores (${on.cpu}), ${on.memoryGb} GB; Node ${on.node}; ${on.server}`
  await writeFile(`${folder}/${name}.md`, `# ${title}\n\n${machine}.\n\n![${title}](${name}.svg)\n\n${tableOf(rows)}\n`)
  await writeFile(`${folder}/${name}.json`, `${JSON.stringify({ machine: on, rows }, null, 2)}\n`)
  await writeFile(`${folder}/${name}.svg`, `${drawRatios(title, rows.flatMap(ratioOf))}\n`)
}

function ratioOf({ where, name, ratio }: Row): Ratio[] {
  if (!ratio) return []
  const at = Object.entries(where)
    .map(([what, value]) => `${what}: ${value}`)
    .join(', ')
  return [{ at, name, label: short(ratio.median), ...ratio }]
}

function short(value: number = Number.NaN): string {
  if (!Number.isFinite(value)) return ''
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
