import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const tsc = join(root, 'node_modules', '.bin', 'tsc')

/** Somebody else's project: a folder outside the checkout, so that nothing resolves by accident. */
export class ConsumerProject {
  readonly #folder: string

  /** @param devDependencies - by name, with their versions; they come with the first install */
  static async create(devDependencies: Readonly<Record<string, string>>): Promise<ConsumerProject> {
    const folder = await mkdtemp(join(tmpdir(), 'eventstore-consumer-'))
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2023', lib: ['es2023'], types: ['node'] },
      ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false },
    }
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module', devDependencies }))
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
    return new ConsumerProject(folder)
  }

  private constructor(folder: string) {
    this.#folder = folder
  }

  get installed(): string {
    return join(this.#folder, 'node_modules')
  }

  async install(...packages: string[]): Promise<void> {
    // The cache has most of it after the project's own install.
    await this.#run('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', ...packages)
  }

  async write(file: string, text: string): Promise<void> {
    await writeFile(join(this.#folder, file), text)
  }

  async copy(path: string, file: string): Promise<void> {
    await copyFile(path, join(this.#folder, file))
  }

  async compile(): Promise<void> {
    await this.#run(tsc, '-p', this.#folder)
  }

  async node(file: string): Promise<string> {
    return await this.#run(process.execPath, '--no-warnings', file)
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #run(command: string, ...args: string[]): Promise<string> {
    try {
      return (await run(command, args, { cwd: this.#folder })).stdout
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`)
    }
  }
}
