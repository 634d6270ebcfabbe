// Loads TypeScript, and keeps what was stripped: the compiler takes a second to load, in each of the hundreds of
// processes that the tests start.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../../node_modules/.cache/stripped-types/', import.meta.url))
/** Part of the names of what is kept: another one strips otherwise. */
const STRIPPER = readFileSync(new URL('../../node_modules/ts-blank-space/package.json', import.meta.url))

export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context)
  const source = await stripped(readFileSync(fileURLToPath(url), 'utf8'))
  return { format: 'module', shortCircuit: true, source: `${source}\n//# sourceURL=${url}` }
}

async function stripped(source) {
  const kept = `${FOLDER}${createHash('sha256').update(STRIPPER).update(source).digest('base64url')}.js`
  try {
    return readFileSync(kept, 'utf8')
  } catch {
    const { default: tsBlankSpace } = await import('ts-blank-space')
    const result = tsBlankSpace(source)
    keep(kept, result)
    return result
  }
}

/** Whole or not at all: many processes may do it at once. */
function keep(file, text) {
  try {
    mkdirSync(FOLDER, { recursive: true })
    const written = `${file}.${process.pid}`
    writeFileSync(written, text)
    renameSync(written, file)
  } catch {
    // A folder that cannot be written costs time, and nothing else.
  }
}
