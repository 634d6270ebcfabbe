import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import tsBlankSpace from 'ts-blank-space'

/** Inside this package, so that its own name and its dependencies are found from there. */
const FOLDER = fileURLToPath(new URL('../../artefacts/programs/', import.meta.url))

/** What packages look for at run time and mostly do not find, and what reads files that lie beside it. */
const LEFT_OUT = [
  '@aws-sdk/credential-providers',
  '@mongodb-js/zstd',
  'aws4',
  'gcp-metadata',
  'kerberos',
  'mongodb-client-encryption',
  'playwright-core',
  'snappy',
  'socks',
]

interface BundleOptions {
  /** Of the file, without its ending; default: that of the program. */
  readonly name?: string
  /** Whether packages are in it as well: a process starts in half the time then. Default: true. */
  readonly withPackages?: boolean
  /** What stands in a module, without its types, in place of its text. */
  readonly alter?: { readonly module: string; change(text: string): string }
}

/**
 * A program of the tests, all modules that it needs in one file of JavaScript. The tests start hundreds of processes:
 * without a thousand modules to load, and types to strip, each is there in a fraction of the time. A stack trace names the
 * lines of this file, which says of what module they are.
 *
 * @param program - the URL of its first module
 * @returns the path of the file
 */
export async function bundledProgram(
  program: URL,
  { name = basename(program.pathname, '.ts'), withPackages = true, alter }: BundleOptions = {},
): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(program)],
    bundle: true,
    ...(withPackages ? { external: LEFT_OUT, banner: { js: REQUIRE } } : { packages: 'external' }),
    preserveSymlinks: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: true,
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

/** Packages in CommonJS require modules of Node, and what is optional. */
const REQUIRE = `import { createRequire as createRequireOfBundle } from 'node:module'
const require = createRequireOfBundle(${JSON.stringify(pathToFileURL(FOLDER).href)})`

/** Each module goes on to know where it lies: what it reads lies beside it. */
function modulesInTheirPlaces(alter: BundleOptions['alter']): Plugin {
  return {
    name: 'modules in their places',
    setup({ onLoad }) {
      onLoad({ filter: /\.(?:ts|m?js)$/ }, ({ path }) => {
        const source = readFileSync(path, 'utf8')
        const isAltered = alter !== undefined && path.endsWith(`/${alter.module}`)
        const text = isAltered ? alter.change(tsBlankSpace(source)) : source
        return {
          loader: path.endsWith('.ts') && !isAltered ? 'ts' : 'js',
          contents: text
            .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
            .replaceAll('import.meta.dirname', JSON.stringify(dirname(path))),
        }
      })
    },
  }
}
