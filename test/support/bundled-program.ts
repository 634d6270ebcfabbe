import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { basename, dirname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { BuildOptions, Plugin } from 'esbuild'

/** Inside this package, so that its own name and its dependencies are found from there. */
const FOLDER = fileURLToPath(new URL('../../artefacts/programs/', import.meta.url))
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What a program depends on beside its modules: what bundles it, and the packages that are installed. */
const MADE_WITH = [
  fileURLToPath(import.meta.url),
  ...['package.json', 'node_modules/.package-lock.json'].map((file) => `${ROOT}${file}`),
]

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

/** Lines of a comment, and comments at the end of a line. */
const COMMENTS = /(?:^ *\/?\*|\/\/ ).*[^\0-\x7f].*$/gm

interface BundleOptions {
  /** Of the file, without its ending; default: that of the program. */
  readonly name?: string
  /** Whether packages are in it as well: a process starts in half the time then. Default: true. */
  readonly withPackages?: boolean
  /** What stands in a module, without its types, in place of its text. */
  readonly alter?: Alteration
}

interface Alteration {
  readonly module: string
  change(text: string): string
}

/**
 * A program of the tests, all modules that it needs in one file of JavaScript. The tests start hundreds of processes:
 * without a thousand modules to load, and types to strip, each is there in a fraction of the time. A stack trace names the
 * lines of this file, which says of what module they are.
 *
 * It is made again once one of its modules has changed.
 *
 * @param program - the URL of its first module
 * @returns the path of the file to start
 */
export async function bundledProgram(
  program: URL,
  { name = basename(program.pathname, '.ts'), withPackages = true, alter }: BundleOptions = {},
): Promise<string> {
  mkdirSync(FOLDER, { recursive: true })
  if (!withPackages) {
    const { text } = await bundle(program, { packages: 'external', plugins: [modulesInTheirPlaces(alter)] })
    return put(`${name}.mjs`, text)
  }
  if (isMade(name, program)) return `${FOLDER}${name}.cjs`
  const began = Date.now()
  const plugins = [modulesInTheirPlaces(alter), othersRequired]
  // In templates and comments alone characters beyond ASCII stay what they are.
  const supported = { 'template-literal': false }
  const { text: bundled, modules } = await bundle(program, { external: LEFT_OUT, supported, plugins })
  const text = bundled.replace(COMMENTS, (comment) => comment.replace(/[^\0-\x7f]/g, '?'))
  const hash = createHash('sha256').update(text).digest('base64url').slice(0, 16)
  put(`${name}.js`, `(async (require) => { 'use strict'\n${text}\n})`)
  const path = put(`${name}.cjs`, starter(`${FOLDER}${name}`, { hash, isAscii: /^[\0-\x7f]*$/.test(text) }))
  const files = stateOf([...MADE_WITH, ...modules])
  const isChanged = files.some(([, changed]) => changed >= began)
  if (alter === undefined && !isChanged) put(`${name}.made`, JSON.stringify({ program: program.href, files }))
  return path
}

/** The text, and the paths of all modules that are in it. */
async function bundle(program: URL, options: BuildOptions): Promise<{ text: string; modules: readonly string[] }> {
  const { build } = await import('esbuild')
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(program)],
    bundle: true,
    preserveSymlinks: true,
    absWorkingDir: ROOT,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: true,
    legalComments: 'none',
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    ...options,
    write: false,
    metafile: true,
  })
  const modules = Object.keys(metafile.inputs).filter((path) => !path.startsWith(REQUIRED))
  return { text: outputFiles.map((file) => file.text).join(''), modules: modules.map((path) => resolve(ROOT, path)) }
}

/** When a file was changed last, and how long it is. */
type FileState = readonly [path: string, changed: number, size: number]

interface Made {
  readonly program: string
  readonly files: readonly FileState[]
}

function stateOf(paths: readonly string[]): FileState[] {
  return paths.map((path) => {
    const { mtimeMs = 0, size = -1 } = statSync(path, { throwIfNoEntry: false }) ?? {}
    return [path, mtimeMs, size]
  })
}

/** Whether it was made, and nothing that it was made of has changed since. */
function isMade(name: string, { href }: URL): boolean {
  try {
    const made = JSON.parse(readFileSync(`${FOLDER}${name}.made`, 'utf8')) as Made
    const now = stateOf(made.files.map(([path]) => path))
    return made.program === href && JSON.stringify(now) === JSON.stringify(made.files)
  } catch {
    return false
  }
}

/** Whole or not at all: two processes may do it at once. */
function put(file: string, text: string): string {
  const path = `${FOLDER}${file}`
  writeFileSync(`${path}.${process.pid}`, text)
  renameSync(`${path}.${process.pid}`, path)
  return path
}

/** What is started: it runs the text beside it, as it was compiled before. */
function starter(file: string, about: { readonly hash: string; readonly isAscii: boolean }): string {
  const program = fileURLToPath(new URL('compiled-program.cjs', import.meta.url))
  return `require(${JSON.stringify(program)})(${JSON.stringify(file)}, ${JSON.stringify(about)}, require)\n`
}

const REQUIRED = 'required'

/** No `import` is left in the text: only what is no module can be kept as it was compiled. */
const othersRequired: Plugin = {
  name: 'others required',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^[@\w:/-]+$/ }, ({ path, kind }) =>
      kind !== 'require-call' && (isBuiltin(path) || LEFT_OUT.includes(path))
        ? { path, namespace: REQUIRED }
        : undefined,
    )
    onLoad({ filter: /./, namespace: REQUIRED }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
    }))
  },
}

/** Each module goes on to know where it lies: what it reads lies beside it. */
function modulesInTheirPlaces(alter: Alteration | undefined): Plugin {
  return {
    name: 'modules in their places',
    setup({ onLoad }) {
      onLoad({ filter: /\.(?:ts|m?js)$/ }, async ({ path }) => {
        const source = readFileSync(path, 'utf8')
        const isAltered = alter !== undefined && path.endsWith(`/${alter.module}`)
        const text = isAltered ? alter.change(await withoutTypes(source)) : source
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

async function withoutTypes(source: string): Promise<string> {
  // Not before: its compiler takes a second to load.
  const { default: tsBlankSpace } = await import('ts-blank-space')
  return tsBlankSpace(source)
}
