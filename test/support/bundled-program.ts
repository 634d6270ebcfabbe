import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
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
  /** Whether packages are in it as well: a process starts in a third of the time then. Default: true. */
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
 * @returns the path of the file to start
 */
export async function bundledProgram(
  program: URL,
  { name = basename(program.pathname, '.ts'), withPackages = true, alter }: BundleOptions = {},
): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(program)],
    bundle: true,
    ...(withPackages ? { external: LEFT_OUT } : { packages: 'external' }),
    preserveSymlinks: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: true,
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    plugins: [modulesInTheirPlaces(alter), ...(withPackages ? [othersRequired] : [])],
    write: false,
  })
  const text = outputFiles.map((file) => file.text).join('')
  mkdirSync(FOLDER, { recursive: true })
  if (!withPackages) return put(`${name}.mjs`, text)
  const hash = createHash('sha256').update(text).digest('base64url').slice(0, 16)
  put(`${name}.js`, `(async (require) => { 'use strict'\n${text}\n})`)
  return put(`${name}.cjs`, starter(`${FOLDER}${name}`, hash))
}

/** Whole or not at all: two processes may do it at once. */
function put(file: string, text: string): string {
  const path = `${FOLDER}${file}`
  writeFileSync(`${path}.${process.pid}`, text)
  renameSync(`${path}.${process.pid}`, path)
  return path
}

/** What is started: it runs the text beside it, as it was compiled before. */
function starter(file: string, hash: string): string {
  const program = fileURLToPath(new URL('compiled-program.cjs', import.meta.url))
  return `require(${JSON.stringify(program)})(${JSON.stringify(file)}, ${JSON.stringify(hash)}, require)\n`
}

/** No `import` is left in the text: only what is no module can be kept as it was compiled. */
const othersRequired: Plugin = {
  name: 'others required',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^[@\w:/-]+$/ }, ({ path, kind }) =>
      kind !== 'require-call' && (isBuiltin(path) || LEFT_OUT.includes(path))
        ? { path, namespace: 'required' }
        : undefined,
    )
    onLoad({ filter: /./, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
    }))
  },
}

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
