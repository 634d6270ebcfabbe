import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { portOutsideEphemeralRange } from './free-port.ts'
import { type Guardian, startGuardian } from './guardian.ts'

const run = promisify(execFile)

/** What of Prometheus is missing on this machine, as a sentence says it. */
export function missingPrometheus(): string | undefined {
  for (const program of ['prometheus', 'promtool'])
    if (spawnSync(program, ['--version']).status !== 0) return `no ${program} on the PATH`
  return undefined
}

/** `promtool`'s word on files. Rejects with what it says where it is not content. */
export async function promtool(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('promtool', [...args]).catch((error: { stdout: string; stderr: string }) => {
    throw new Error(`${error.stdout}${error.stderr}`)
  })
  return stdout
}

/** What a query is answered with: a value for each set of labels. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [number, string]
}

export interface Rule {
  readonly name: string
  readonly query: string
  readonly duration: number
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly health: string
}

/** A Prometheus that reads one target each second. */
export class Prometheus {
  readonly #origin: string
  readonly #child: ChildProcess
  readonly #guardian: Guardian

  static async start(folder: string, target: string, rules: string): Promise<Prometheus> {
    const port = await portOutsideEphemeralRange()
    const configuration = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [rules],
      scrape_configs: [{ job_name: 'op', static_configs: [{ targets: [target] }] }],
    }
    const file = join(folder, 'prometheus.json')
    await writeFile(file, JSON.stringify(configuration)) // JSON is YAML
    const child = spawn(
      'prometheus',
      [
        ...[`--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`],
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const guardian = startGuardian()
    if (child.pid !== undefined) guardian.watch(child.pid)
    await ready(child)
    return new Prometheus(`http://127.0.0.1:${port}`, child, guardian)
  }

  private constructor(origin: string, child: ChildProcess, guardian: Guardian) {
    this.#origin = origin
    this.#child = child
    this.#guardian = guardian
  }

  async query(expression: string): Promise<Sample[]> {
    return (await this.#get<{ readonly result: Sample[] }>(`query?query=${encodeURIComponent(expression)}`)).result
  }

  async rules(): Promise<Rule[]> {
    const { groups } = await this.#get<{ readonly groups: readonly { readonly rules: Rule[] }[] }>('rules')
    return groups.flatMap(({ rules }) => rules)
  }

  async stop(): Promise<void> {
    const ended = this.#child.exitCode === null ? once(this.#child, 'exit') : undefined
    this.#child.kill('SIGTERM')
    await ended
    this.#guardian.forget()
    await this.#guardian.dismiss()
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#origin}/api/v1/${path}`)
    const answer = (await response.json()) as { readonly status: string; readonly error?: string; readonly data: T }
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`)
    return answer.data
  }
}

/** It says so in a line. Its errors are passed on. */
async function ready(child: ChildProcess): Promise<void> {
  const { stderr } = child
  if (!stderr) throw new Error('the lines of prometheus are not read')
  const lines = createInterface({ input: stderr })
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line.includes('Server is ready')) resolve()
      else if (/level=error/i.test(line)) console.error(line)
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`prometheus ended with ${code}`)))
  })
}
