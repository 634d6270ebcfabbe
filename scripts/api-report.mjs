// Writes what each public entry exports into docs/api/*.api.md, so that a change of the public face shows in review.
//
//   node scripts/api-report.mjs            fails when a committed report differs from the build
//   node scripts/api-report.mjs --write    brings the reports up to date
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor'

const root = fileURLToPath(new URL('..', import.meta.url))
const write = process.argv.includes('--write')
const reportFolder = join(root, 'docs', 'api')
await mkdir(reportFolder, { recursive: true })

const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
let failed = false
for (const [entry, target] of Object.entries(exports)) {
  if (typeof target === 'string') continue
  const problem = report(entry, join(root, target.types))
  if (problem === undefined) continue
  failed = true
  console.error(`${entry}: ${problem}`)
}
process.exitCode = failed ? 1 : 0

/** What is wrong with the report of one entry; undefined when nothing is. */
function report(entry, declarations) {
  if (!existsSync(declarations)) return `no ${declarations.slice(root.length)}; build first`
  const name = entry === '.' ? 'index' : entry.slice(2).replaceAll('/', '.')
  const { succeeded, apiReportChanged } = Extractor.invoke(configuration(name, declarations), {
    localBuild: write,
    messageCallback: quieten,
  })
  if (apiReportChanged && !write) return `docs/api/${name}.api.md is not up to date; see \`npm run api:write\``
  if (!succeeded) return 'api-extractor found errors'
  return undefined
}

function configuration(name, mainEntryPointFilePath) {
  return ExtractorConfig.prepare({
    packageJsonFullPath: join(root, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath,
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          compilerOptions: { target: 'es2023', module: 'nodenext', strict: true, skipLibCheck: true, types: ['node'] },
          include: ['dist/**/*.d.ts'],
        },
      },
      apiReport: {
        enabled: true,
        reportFolder,
        reportTempFolder: join(root, 'node_modules', '.cache', 'api-report'),
        reportFileName: `${name}.api.md`,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: 'warning' } },
        extractorMessageReporting: {
          default: { logLevel: 'warning', addToApiReportFile: true },
          // Everything that an entry exports is public; there are no other release tags.
          'ae-missing-release-tag': { logLevel: 'none' },
          // Its lines carry line numbers, which change with every edit.
          'ae-undocumented': { logLevel: 'none' },
          // The other entries speak in the words of the main one, which exports them.
          ...(name !== 'index' && { 'ae-forgotten-export': { logLevel: 'none' } }),
        },
        // Prose is no business of the report.
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
  })
}

/** Its advice names the wrong command, and its banner the TypeScript that it carries along. */
function quieten(message) {
  const noise = ['console-preamble', 'console-api-report-not-copied', 'console-compiler-version-notice']
  if (noise.includes(message.messageId)) message.logLevel = 'none'
}
