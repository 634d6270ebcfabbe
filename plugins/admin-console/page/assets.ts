import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { OptionInvalidError } from '../../../lib/index.ts'

/** What the build says of the files that it has made. */
interface Manifest {
  readonly script: string
  readonly style: string
  readonly icon: string
  readonly files: Readonly<Record<string, { readonly type: string }>>
}

/** The built script and style of the pages: their names hold a hash of their content. */
export class Assets {
  readonly script: string
  readonly style: string
  readonly icon: string
  readonly #files: ReadonlyMap<string, { readonly type: string; readonly body: Uint8Array<ArrayBuffer> }>

  /**
   * Reads them all, once.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`) where they were not built
   */
  constructor(folder: string | URL = builtFolder()) {
    const path = typeof folder === 'string' ? folder : fileURLToPath(folder)
    const base = pathToFileURL(`${path.replace(/\/$/, '')}/`)
    try {
      const manifest = JSON.parse(readFileSync(new URL('manifest.json', base), 'utf8')) as Manifest
      const { script, style, icon, files } = manifest
      const read = (name: string) => new Uint8Array(readFileSync(new URL(name, base)))
      this.#files = new Map(Object.entries(files).map(([name, { type }]) => [name, { type, body: read(name) }]))
      this.script = script
      this.style = style
      this.icon = icon
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new OptionInvalidError(
        'assets',
        `names no folder with the built pages of the console (${why}): in a checkout, run npm run build first`,
      )
    }
  }

  /** Undefined: there is no such file. */
  answer(name: string): Response | undefined {
    const file = this.#files.get(name)
    return (
      file &&
      new Response(file.body, {
        headers: {
          'Content-Type': file.type,
          'Content-Length': String(file.body.length),
          'Cache-Control': 'public, max-age=31536000, immutable',
          'Cross-Origin-Resource-Policy': 'same-origin',
          'X-Content-Type-Options': 'nosniff',
        },
      })
    )
  }
}

/** Beside this file in the package; in a checkout that runs its sources, where the build has put them. */
function builtFolder(): URL {
  const beside = new URL('../assets/', import.meta.url)
  return existsSync(beside) ? beside : new URL('../../../dist/plugins/admin-console/assets/', import.meta.url)
}
