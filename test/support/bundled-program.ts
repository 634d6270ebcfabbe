import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import tsBlankSpace from 'ts-blank-space'

/** Inside this package, so that its own name and its dependencies are found from there. */
const FOLDER = fileURLToPath(new URL('../../artefacts/programs/', import.meta.url))

interface BundleOptions {
  /** Of the file, without its ending; default: that of the program. */
  readonly name?: string
  /** What stands in a module, without its types, in place of its text. */
  readonly alter?: { readonly module: string; change(text: string): string }
}

/**
 * A program of the tests, all modules of this project that it needs in one file of JavaScript. The tests start hundreds of
 * processes: without hundreds of modules to load, and their types to strip, each is there in half the time.
 *
 * @param program - the URL of its first module
 * @returns the path of the file
 */
export async function bundledProgram(
  program: URL,
  { name = basename(program.pathname, '.ts'), alter }: BundleOptions = {},
): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(program)],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: true,
    sourcemap: 'inline',
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    plugins: [modulesInTheirPlaces(alter)],
    write: false,
  })
  // Whole or not at all: two processes may do it at once.
  const file = `${FOLDER}${name}.mjs`
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(`${file}.${process.pid}`, outputFiles.map(({ text }) => text).join(''))
  renameSync(`${file}.${process.pid}`, file)
  return file
}

/** Each module goes on to know where it lies: what it reads lies beside it. */
function modulesInTheirPlaces(alter: BundleOptions['alter']): Plugin {
  return {
    name: 'modules in their places',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const source = readFileSync(path, 'utf8')
        const isAltered = alter !== undefined && path.endsWith(`/${alter.module}`)
        const text = isAltered ? alter.change(tsBlankSpace(source)) : source
        return {
          loader: isAltered ? 'js' : 'ts',
          contents: text
            .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
            .replaceAll('import.meta.dirname', JSON.stringify(dirname(path))),
        }
      })
    },
  }
}
