import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The code of a guide, as modules that stand side by side in a folder. */
export class GuideCode {
  readonly #blocks: ReadonlyMap<string, string>
  readonly #folder: string
  readonly #run = new Set<string>()

  static async read(path: string): Promise<GuideCode> {
    const guide = await readFile(join(root, path), 'utf8')
    const blocks = new Map<string, string>()
    for (const section of guide.split(/^## /m).slice(1)) {
      const heading = section.slice(0, section.indexOf('\n'))
      const [first, ...more] = [...section.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, code = '']) => code)
      if (more.length > 0) throw new Error(`"${heading}" has more than one block of code`)
      if (first !== undefined) blocks.set(heading, first)
    }
    // Inside the checkout, so that packages are found.
    await mkdir(join(root, 'artefacts'), { recursive: true })
    return new GuideCode(blocks, await mkdtemp(join(root, 'artefacts', 'guide-')))
  }

  private constructor(blocks: ReadonlyMap<string, string>, folder: string) {
    this.#blocks = blocks
    this.#folder = folder
  }

  /** The sections whose code was not run. */
  get leftOut(): string[] {
    return [...this.#blocks.keys()].filter((heading) => !this.#run.has(heading))
  }

  /**
   * Runs the code below a heading as it stands, but for the package, which is taken from its sources.
   *
   * @param file - what other code imports it by
   * @param values - texts of the guide that are replaced: addresses and names
   * @param names - what it declares and does not export
   */
  async run(
    heading: string,
    { file, values = {}, names = [] }: { file: string; values?: Record<string, string>; names?: readonly string[] },
  ): Promise<Record<string, unknown>> {
    let code = this.#blocks.get(heading)
    if (code === undefined) throw new Error(`the guide has no code below "${heading}"`)
    this.#run.add(heading)
    code = code.replaceAll(/'oidc-provider-eventstore(?:\/([^']+))?'/g, (_specifier, entry: string | undefined) => {
      const source = join(root, entry ?? 'lib', 'index.ts')
      return `'${pathToFileURL(source)}'`
    })
    for (const [text, value] of Object.entries(values)) {
      if (!code.includes(text)) throw new Error(`"${text}" is not in the code below "${heading}"`)
      code = code.replaceAll(text, value)
    }
    const path = join(this.#folder, file)
    await writeFile(path, `${code}${names.length > 0 ? `export { ${names.join(', ')} }\n` : ''}`)
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}
