import { posix } from 'node:path'

/** Documents beside `docs/`, and the pages that `generate.mjs` makes of them. */
export const PROJECT_PAGES = {
  'README.md': 'project/readme.md',
  'CHANGELOG.md': 'project/changelog.md',
  'CONTRIBUTING.md': 'project/contributing.md',
  'SECURITY.md': 'project/security.md',
  'example/README.md': 'project/example.md',
}

/**
 * Where a link of a page leads on the site. Pages link to each other, and to what stands beside `docs/`, as they do in
 * the repository.
 *
 * @param href - as it stands in the page
 * @param page - the page, relative to `docs/`
 */
export function onSite(href, page) {
  if (/^([a-z]+:|#|\/)/i.test(href)) return href
  const [path, hash] = href.split('#')
  const target = posix.normalize(posix.join('docs', posix.dirname(page), path))
  const inDocs = PROJECT_PAGES[target] ?? (target.startsWith('docs/') ? target.slice('docs/'.length) : undefined)
  if (inDocs === undefined) return href
  const url = `/${inDocs.replace(/(^|\/)README\.md$/, '$1index.md')}`
  return hash === undefined ? url : `${url}#${hash}`
}

/** A markdown-it plugin that does this for all links of a page. */
export function repositoryLinks(md) {
  md.core.ruler.push('repository-links', ({ tokens, env }) => {
    for (const { children } of tokens) {
      for (const token of children ?? []) {
        const href = token.type === 'link_open' ? token.attrGet('href') : null
        if (href !== null) token.attrSet('href', onSite(href, env.relativePath))
      }
    }
  })
}
