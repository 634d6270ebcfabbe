// Builds the package into `dist`: modules with their types, and the console's assets. It is built beside the former one and
// takes its place when it is whole: who runs from the former one, or builds at the same time, never finds half of one.
import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { writeConsole } from './build-console.mjs'
import { putInPlace } from './put-in-place.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const tsc = createRequire(import.meta.url)
  .resolve('typescript/package.json')
  .replace('package.json', 'bin/tsc')

// It checks no types, which takes three quarters of the time: `npm run types` does. Syntax it does check, and with
// `isolatedDeclarations` each declaration follows from its own module, so that what is written is the same.
const parameters = ['-p', join(root, 'tsconfig.build.json'), '--noCheck']

// One folder below the root, as `dist`: maps and declarations name the sources by relative paths.
const built = await mkdtemp(join(root, 'dist.'))
try {
  const compiled = spawnSync(process.execPath, [tsc, ...parameters, '--outDir', built], { stdio: 'inherit' })
  if (compiled.status === 0) {
    await chmod(join(built, 'plugins/command-line/main.js'), 0o755)
    await writeConsole(join(built, 'plugins/admin-console/assets'))
    await chmod(built, 0o755) // mkdtemp() makes a folder for its owner alone
    await putInPlace(built, join(root, 'dist'))
  } else process.exitCode = 1
} finally {
  await rm(built, { recursive: true, force: true })
}
