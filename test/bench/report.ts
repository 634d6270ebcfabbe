import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { MongoClient } from 'mongodb'
import type { Figure, Result, Rounds } from './contest.ts'
import { drawRatios, type Ratio } from './plot.mjs'

/** What a candidate did, and under which circumstances. */
export interface Row extends Result {
  readonly where: Readonly<Record<string, string | number>>
  /** Further figures of this benchmark alone. */
  readonly details?: Readonly<Record<string, number>>
}

export interface BenchmarkOptions extends Rounds {
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

/** The table that is printed, and that `docs/benchmarks` keeps. */
export function tableOf(rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap(({ where }) => Object.keys(where)))]
  const more = [...new Set(rows.flatMap(({ details = {} }) => Object.keys(details)))]
  const head = [...names, '', 'per second', 'ratio', '(range)', 'CPU ms each', 'p50 ms', 'p99 ms', ...more]
  const lines = rows.map((row) => [
    ...names.map((name) => String(row.where[name] ?? '')),
    row.name,
    short(row.perSecond.median),
    short(row.ratio.median),
    rangeOf(row.ratio),
    short(row.cpuMsEach.median),
    short(row.p50Ms.median),
    short(row.p99Ms.median),
    ...more.map((name) => short(row.details?.[name] ?? Number.NaN)),
  ])
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
  await writeFile(`${folder}/${name}.svg`, `${drawRatios(title, rows.map(ratioOf))}\n`)
}

function ratioOf({ where, name, ratio }: Row): Ratio {
  const at = Object.entries(where)
    .map(([what, value]) => `${what}: ${value}`)
    .join(', ')
  return { at, name, label: short(ratio.median), ...ratio }
}

function short(value: number): string {
  if (!Number.isFinite(value)) return ''
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

function rangeOf({ least, most }: Figure): string {
  return `${short(least)} to ${short(most)}`
}
