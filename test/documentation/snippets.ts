import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root: string = fileURLToPath(new URL('../..', import.meta.url))

/** What a page says of a block of code: it is run by a test, its types are checked, or neither, and why. */
export interface Marker {
  readonly kind: 'run' | 'types' | 'unchecked'
  /** The test that runs it; the reason why nothing runs it. */
  readonly what: string
}

/** A block of JavaScript or TypeScript in a page. */
export interface Snippet {
  readonly page: string
  readonly line: number
  readonly language: 'js' | 'ts' | 'cjs'
  readonly code: string
  readonly marker: Marker | undefined
}

/** Written by people: what is generated is generated from sources that are checked. */
export const pages: readonly string[] = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', 'example/README.md'],
  ...markdownIn('docs'),
]

const BLOCK = /^( *)```(js|ts|cjs|mjs|mts|javascript|typescript)\b[^\n]*\n([\s\S]*?)^ *```/gm
const OF_BLOCK = /<!-- (run|types|unchecked): (.+?) -->\n+ *$/
const OF_PAGE = /<!-- every block: (run|types|unchecked): (.+?) -->/

/**
 * The blocks of a page. A comment before a block is its marker: `<!-- run: the test -->`, `<!-- types: why it is not
 * run -->`, `<!-- unchecked: why its types are not checked either -->`. `<!-- every block: … -->` counts for those of the
 * page that have none.
 */
export function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(join(root, page), 'utf8')
  const ofPage = OF_PAGE.exec(text)
  return [...text.matchAll(BLOCK)].map(({ 1: indent = '', 2: fence = '', 3: code = '', index }) => {
    const [, kind, what] = OF_BLOCK.exec(text.slice(0, index)) ?? ofPage ?? []
    return {
      page,
      line: text.slice(0, index).split('\n').length,
      language: fence.startsWith('cjs') ? 'cjs' : fence.includes('t') && fence !== 'javascript' ? 'ts' : 'js',
      code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      marker: kind === undefined || what === undefined ? undefined : { kind: kind as Marker['kind'], what },
    }
  })
}

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isFile()) return entry.name.endsWith('.md') ? [path] : []
    return /^docs\/(api|node_modules|project|reference|\.vitepress)$/.test(path) ? [] : markdownIn(path)
  })
}
