import type { Context } from 'koa'
import type { AppId, Place } from '../settings.ts'
import { type Html, html } from './html.ts'

export interface Page {
  /** Whose page it is: decides the colour. */
  readonly app: AppId
  /** All three, for the way from one to the other. */
  readonly places: readonly Place[]
  readonly title: string
  readonly main: Html
  /** Where the page hears of changes (server-sent events). Absent: it never changes. */
  readonly updates?: string
  /** Wide enough for tables. */
  readonly wide?: boolean
  /** Paths of what this page needs besides what all pages share. */
  readonly script?: string
  readonly stylesheet?: string
}

/** Answers with a page. */
export function show(ctx: Context, page: Page, status = 200): void {
  ctx.status = status
  ctx.type = 'html'
  ctx.set('Cache-Control', 'no-store') // it shows who is logged in
  ctx.body = layout(page).toString()
}

/** The whole document. */
export function layout({ app, places, title, main, updates, wide = false, script, stylesheet }: Page): Html {
  const role = app === 'op' ? 'OpenID Provider' : 'Relying party'
  const name = places.find(({ id }) => id === app)?.name ?? ''
  return html`<!doctype html>
<html lang="en" data-app="${app}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · ${name}</title>
<link rel="icon" href="/icon.svg?${app}" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
${stylesheet !== undefined && html`<link rel="stylesheet" href="${stylesheet}">`}
${updates !== undefined && html`<script type="module" src="/live.js" data-updates="${updates}"></script>`}
${script !== undefined && html`<script type="module" src="${script}"></script>`}
</head>
<body>
<header>
<p class="brand"><span class="mark" aria-hidden="true"></span><b>${name}</b> <span class="role">${role}</span></p>
<nav aria-label="The three applications">
${places.map(
  (place) =>
    html`<a href="${place.origin}/" data-app="${place.id}"${place.id === app && html` aria-current="page"`}>${place.name}</a>`,
)}
</nav>
</header>
<main${wide && html` class="wide"`}>
${main}
</main>
<footer>An example of <code>oidc-provider-eventstore</code>. Nothing here is meant for the open network.</footer>
</body>
</html>
`
}
