import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import type { Context } from 'koa'

const PREFIX = '/operators/assets/'
const FOLDER = new URL('assets/', import.meta.url)
const TYPES: Readonly<Record<string, string>> = { '.css': 'text/css', '.js': 'text/javascript' }

/** The page's style and modules: as they are written, without a build step. */
const ASSETS: ReadonlyMap<string, { readonly type: string; readonly body: Buffer }> = new Map(
  readdirSync(FOLDER).flatMap((name) => {
    const type = TYPES[extname(name)]
    return type === undefined ? [] : [[`${PREFIX}${name}`, { type, body: readFileSync(new URL(name, FOLDER)) }]]
  }),
)

/** @returns whether it was one of them */
export function serveAsset(ctx: Context): boolean {
  const asset = ctx.method === 'GET' ? ASSETS.get(ctx.path) : undefined
  if (asset === undefined) return false
  ctx.type = asset.type
  ctx.set('Cache-Control', 'no-cache')
  ctx.body = asset.body
  return true
}
