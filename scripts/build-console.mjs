// Bundles the browser side of the admin console: `plugins/admin-console/ui` becomes `dist/plugins/admin-console/assets`.
//
// The names hold a hash of the content, so that browsers may keep them for ever; `manifest.json` tells the server the
// names. The package ships the result, so that nobody who installs it needs a bundler, or Preact.
//
// The page that loads them is the server's, under every path of a screen. It holds
//   <meta name="base-path" content="/admin">            (empty at the root of the server)
//   <link rel="icon" href="/admin/assets/<icon>">
//   <link rel="stylesheet" href="/admin/assets/<style>">
//   <script type="module" src="/admin/assets/<script>"></script>
// and an empty body: the script adds its own element to it.
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** All assets together, compressed, in bytes. */
export const MAX_GZIP_BYTES = 60 * 1024

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'plugins/admin-console/ui')
export const ASSETS = join(root, 'dist/plugins/admin-console/assets')

/** Media types by extension: the server answers with these and no others. */
const MEDIA_TYPES = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' }

/**
 * What is left out of uPlot: the ways to draw a line that it brings (day-plot.ts has its own), the legend, scales that are
 * not linear, and what it hangs onto its function for callers. A bundler cannot know that nothing here uses them, and would
 * keep the code behind them. A version of uPlot that is written otherwise fails the build.
 */
const LEFT_OUT_OF_UPLOT = [
  ['const linearPath = linear() ;', 'const linearPath = null;'],
  ['const pointsPath = points() ;', 'const pointsPath = null;'],
  ['const showLegend = legend.show;', 'const showLegend = false;'],
  ['sc.distr == 3 ? logAxisSplits : sc.distr == 4 ? asinhAxisSplits : numAxisSplits', 'numAxisSplits'],
  [
    'sc.distr >= 3 && sc.log == 10 ? log10AxisValsFilt : sc.distr == 3 && sc.log == 2 ? log2AxisValsFilt : retArg1',
    'retArg1',
  ],
  ['sc.distr == 3 ? snapLogX : sc.distr == 4 ? snapAsinhX : snapNumX', 'snapNumX'],
  ['sc.distr == 3 ? snapLogY : sc.distr == 4 ? snapAsinhY : snapNumY', 'snapNumY'],
  ['rangeLog(_min, _min, scaleX.log, false)', '[]'],
  ['rangeAsinh(_min, _min, scaleX.log, false)', '[]'],
  ['uPlot.rangeLog = rangeLog;', ''],
  ['uPlot.sync = _sync;', ''],
  ['uPlot.orient   = orient;', ''],
  ['uPlot.rangeAsinh = rangeAsinh;', ''],
  ['uPlot.join = join;', ''],
  ['uPlot.tzDate  = tzDate;', ''],
  ['uPlot.addGap = addGap;', ''],
  ['uPlot.clipGaps = clipGaps;', ''],
  ['\t\tpoints,\n', ''],
  ['(paths.linear  = linear);', ''],
  ['(paths.stepped = stepped);', ''],
  ['(paths.bars    = bars);', ''],
  ['(paths.spline  = monotoneCubic);', ''],
]

const smallerUplot = {
  name: 'smaller-uplot',
  setup({ onLoad }) {
    onLoad({ filter: /uPlot\.esm\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const missing = LEFT_OUT_OF_UPLOT.filter(([line]) => !text.includes(line))
      if (missing.length > 0) throw new Error(`uPlot has no ${missing.join(' ')}: see LEFT_OUT_OF_UPLOT`)
      const contents = LEFT_OUT_OF_UPLOT.reduce((left, [line, instead]) => left.replace(line, instead), text)
      return { contents, loader: 'js' }
    })
  },
}

/**
 * Writes the assets and their manifest.
 *
 * @param folder where to; it is emptied first
 * @returns the manifest: `script`, `style` and `icon` are file names, `files` has each file's media type, size and
 * compressed size in bytes
 */
export async function buildConsole(folder = ASSETS) {
  const { outputFiles, metafile } = await build({
    entryPoints: { console: join(source, 'main.tsx') },
    absWorkingDir: root,
    preserveSymlinks: true, // names hold a hash of paths, too: those below the checkout, wherever packages really lie
    outdir: folder,
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    target: ['chrome123', 'firefox120', 'safari17.5'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    define: { 'process.env.NODE_ENV': '"production"' },
    charset: 'utf8',
    plugins: [smallerUplot],
    sourcemap: false,
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'warning',
  })
  const files = outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }))
  const icon = await readFile(join(source, 'icon.svg'))
  files.push({ name: `icon-${createHash('sha256').update(icon).digest('hex').slice(0, 8)}.svg`, contents: icon })
  const manifest = manifestOf(files, entryOf(metafile))
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  for (const { name, contents } of files) await writeFile(join(folder, name), contents)
  await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return manifest
}

/** How much a browser downloads for all of it, compressed, in bytes. */
export function gzipBytesOf(manifest) {
  return Object.values(manifest.files).reduce((sum, { gzipBytes }) => sum + gzipBytes, 0)
}

function entryOf(metafile) {
  const [path, output] = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint !== undefined)
  return { script: basename(path), style: basename(output.cssBundle) }
}

function manifestOf(files, entry) {
  const described = [...files]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, contents }) => [
      name,
      {
        type: MEDIA_TYPES[name.slice(name.lastIndexOf('.') + 1)],
        bytes: contents.length,
        gzipBytes: gzipSync(contents, { level: 9 }).length,
      },
    ])
  const icon = described.find(([name]) => name.endsWith('.svg'))[0]
  return { ...entry, icon, files: Object.fromEntries(described) }
}

/**
 * Writes the assets, and says how large they are.
 *
 * @throws Error they are larger than they may be
 */
export async function writeConsole(folder = ASSETS) {
  const manifest = await buildConsole(folder)
  const bytes = gzipBytesOf(manifest)
  console.log(`admin console: ${(bytes / 1024).toFixed(1)} KB compressed`)
  for (const [name, file] of Object.entries(manifest.files))
    console.log(`  ${name}  ${(file.gzipBytes / 1024).toFixed(1)} KB`)
  if (bytes > MAX_GZIP_BYTES) throw new Error(`that is more than ${MAX_GZIP_BYTES / 1024} KB`)
}

if (argv[1] === fileURLToPath(import.meta.url)) await writeConsole()
