// Loads one file of the package with a fault in it, which stands in the environment as JSON: see mutants.ts.
import { readFile } from 'node:fs/promises'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'

const mutant = JSON.parse(process.env.MUTANT ?? 'null')

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context)
  if (!mutant || !url.endsWith(`/${mutant.file}`)) return loaded
  const source = String(loaded.source ?? (await readFile(fileURLToPath(url), 'utf8')))
  if (source.split(mutant.from).length !== 2) throw new Error(`the mutant does not fit into ${mutant.file} any more`)
  return { ...loaded, source: source.replace(mutant.from, () => mutant.to) }
}

if (isMainThread && mutant) register(import.meta.url)
