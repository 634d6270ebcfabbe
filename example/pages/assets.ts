import { readFileSync } from 'node:fs'
import type { Middleware } from 'koa'

/** What all pages share. Few and small enough to be kept in memory. */
const ASSETS: ReadonlyMap<string, { readonly type: string; readonly body: Buffer }> = new Map(
  [
    ['style.css', 'text/css'],
    ['live.js', 'text/javascript'],
    ['icon.svg', 'image/svg+xml'],
  ].map(([name = '', type = '']) => [
    `/${name}`,
    { type, body: readFileSync(new URL(`assets/${name}`, import.meta.url)) },
  ]),
)

export const assets: Middleware = async (ctx, next) => {
  const asset = ctx.method === 'GET' ? ASSETS.get(ctx.path) : undefined
  if (asset === undefined) return next()
  ctx.type = asset.type
  ctx.set('Cache-Control', 'no-cache')
  ctx.body = asset.body
}
