// Makes the pages that are not written in docs/: the reference, from the docstrings, and those that stand beside docs/.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application } from 'typedoc'
import { PROJECT_PAGES } from './links.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const docs = join(root, 'docs')

await rm(join(docs, 'project'), { recursive: true, force: true })
for (const [source, page] of Object.entries(PROJECT_PAGES)) await copyPage(source, page)
await makeReference()

/** Copies a page, with links that hold at its new place. */
async function copyPage(source, page) {
  const text = await readFile(join(root, source), 'utf8')
  const moved = (target) => posix.relative(posix.dirname(`docs/${page}`), posix.join(posix.dirname(source), target))
  await mkdir(join(docs, dirname(page)), { recursive: true })
  await writeFile(
    join(docs, page),
    text
      .replaceAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g, (_, target) => `](${moved(target)}`)
      .replaceAll(/ (src|srcset)="(?![a-z]+:)([^"]+)"/g, (_, name, target) => ` ${name}="${moved(target)}"`),
  )
}

/** One page for each public entry of the package. */
async function makeReference() {
  const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const sources = Object.values(exports)
    .filter((target) => typeof target !== 'string')
    .map(({ types }) => join(root, types.replace('./dist/', '').replace(/\.d\.ts$/, '.ts')))
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    tsconfig: join(root, 'tsconfig.build.json'),
    entryPoints: sources,
    readme: 'none',
    disableGit: true,
    disableSources: true,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    skipErrorChecking: true, // `npm run types` checks them, with the compiler of the project
    validation: { invalidLink: false, notExported: false },
    logLevel: 'Warn',
    router: 'module',
    entryFileName: 'index',
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useCodeBlocks: false,
    useHTMLAnchors: true,
    parametersFormat: 'table',
    groupOrder: ['Functions', 'Classes', '*'],
    name: 'Reference',
    outputs: [{ name: 'markdown', path: join(docs, 'reference') }],
  })
  const project = await app.convert()
  if (project === undefined) throw new Error('the reference cannot be made')
  for (const entry of project.children ?? []) entry.name = specifierOf(entry.name)
  await app.generateOutputs(project)
}

/** `plugins/back-channel-logout/index` is imported as `oidc-provider-eventstore/plugins/back-channel-logout`. */
function specifierOf(source) {
  const entry = source.replace(/\/?index$/, '').replace(/^lib$/, '')
  return entry === '' ? 'oidc-provider-eventstore' : `oidc-provider-eventstore/${entry}`
}
