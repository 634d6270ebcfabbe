import { cp } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'
import { slugOf } from './anchors.mjs'
import { checkSite, writeForModels } from './built-site.mjs'
import { repositoryLinks } from './links.mjs'
import { sidebar } from './navigation.mjs'

const { description, version } = createRequire(import.meta.url)('../../package.json')
// Where the site is served: `DOCS_BASE=/eventstore/ npm run docs` for one below a path.
const base = process.env.DOCS_BASE ?? '/'

export default defineConfig({
  base,
  title: 'oidc-provider-eventstore',
  description,
  lang: 'en',
  cleanUrls: true,
  srcExclude: ['api/**', 'node_modules/**'],
  rewrites: {
    'benchmarks/README.md': 'benchmarks/index.md',
    'decisions/README.md': 'decisions/index.md',
    'errors/README.md': 'errors/index.md',
  },
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}icon.svg` }]],
  markdown: {
    anchor: { slugify: slugOf },
    languageAlias: { cjs: 'js' },
    config: (md) => md.use(repositoryLinks),
  },
  themeConfig: {
    search: { provider: 'local' },
    nav: [
      { text: 'Start', link: '/start' },
      { text: 'Runbook', link: '/runbook' },
      { text: 'Errors', link: '/errors/' },
      { text: 'Reference', link: '/reference/' },
      { text: `v${version}`, link: '/project/changelog' },
    ],
    sidebar,
    outline: [2, 3],
    notFound: {
      quote: 'There is no page at this address. The search above knows all of them.',
      linkText: 'To the first page',
    },
  },
  /** Pages of errors stand in no sidebar: without this their footer leads to wherever the sidebar begins. */
  transformPageData({ relativePath, frontmatter }) {
    if (!relativePath.startsWith('errors/') || relativePath === 'errors/index.md') return
    frontmatter.prev = { text: 'Error codes', link: '/errors/' }
    frontmatter.next = false
  },
  vite: { build: { chunkSizeWarningLimit: 2_000 } }, // the index of the search
  async buildEnd({ outDir, srcDir }) {
    await cp(join(srcDir, 'grafana'), join(outDir, 'grafana'), { recursive: true }) // the pages link to it as it is
    await checkSite(outDir, base)
    await writeForModels(outDir, srcDir, description)
  },
})
