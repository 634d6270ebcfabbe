// Headings have the anchors that code hosts give them, so that a link works there, in the package and on the site.

/** The anchor of a heading, without the number that a repeated one gets. */
export function slugOf(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .replaceAll(' ', '-')
}

/** The anchors of a page in Markdown: of its headings, and those that stand in it as `<a id="…">`. */
export function anchorsOf(markdown) {
  const text = markdown.replaceAll(/^( *)(```+|~~~+)[^\n]*\n[\s\S]*?^\1\2 *$/gm, '')
  const seen = new Map()
  const anchors = [...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id)
  for (const [, heading] of text.matchAll(/^#{1,6} +(.+?)(?: +#+)?$/gm)) {
    const slug = slugOf(plain(heading))
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    anchors.push(count === 0 ? slug : `${slug}-${count}`)
  }
  return new Set(anchors)
}

function plain(heading) {
  return heading
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[`*]/g, '')
    .replaceAll(/<[^>]+>/g, '')
}
