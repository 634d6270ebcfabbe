import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { sections } from './navigation.mjs'

/** Fails where a page links to a page, a file or an anchor of the site that was not built, or loads anything from elsewhere. */
export async function checkSite(outDir, base) {
  const files = new Set((await readdir(outDir, { recursive: true })).map((file) => file.replaceAll('\\', '/')))
  const pages = new Map()
  for (const file of files) {
    if (file.endsWith('.html')) pages.set(file, await readFile(join(outDir, file), 'utf8'))
  }
  const anchors = new Map(
    [...pages].map(([file, html]) => [file, new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))]),
  )
  const faults = [...pages].flatMap(([file, html]) => [
    ...[...html.matchAll(/<a\b[^>]*? href="([^"]*)"/g)].flatMap(([, href]) => {
      if (/^(https?|mailto):/.test(href)) return []
      const [path, hash] = decodeURI(href.replaceAll('&amp;', '&')).split('#')
      const target = path === '' ? file : fileOf(path, file, base, files)
      if (target === undefined) return [`${file}: ${href} is not there`]
      if (hash && pages.has(target) && !anchors.get(target).has(decodeURIComponent(hash)))
        return [`${file}: ${href} has no such anchor`]
      return []
    }),
    ...[...html.matchAll(/<(?:script|img|link|source)\b[^>]*? (?:src|href|srcset)="(https?:[^"]*)"/g)].map(
      ([, url]) => `${file}: loads ${url}`,
    ),
  ])
  if (faults.length > 0) throw new Error(`the site has ${faults.length} faults:\n${[...new Set(faults)].join('\n')}`)
}

function fileOf(path, from, base, files) {
  const absolute = path.startsWith('/')
    ? path.slice(base.length)
    : posix.normalize(posix.join(posix.dirname(from), path))
  const bare = absolute.replace(/\/$/, '')
  return [bare, `${bare}.html`, posix.join(bare, 'index.html')].find((file) => files.has(file))
}

/** `llms.txt` (https://llmstxt.org), and the pages in Markdown that it lists. */
export async function writeForModels(outDir, srcDir, description) {
  const lines = ['# oidc-provider-eventstore', '', `> ${description}`]
  for (const { text, items } of sections) {
    lines.push('', `## ${text}`, '')
    for (const item of items) {
      lines.push(`- [${item.text}](${item.page})`)
      await cp(join(srcDir, item.page), join(outDir, item.page))
    }
  }
  await writeFile(join(outDir, 'llms.txt'), `${lines.join('\n')}\n`)
}
