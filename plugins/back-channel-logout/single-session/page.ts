import type { RequestContext } from '../../../lib/index.ts'

/** Renders the page that asks whether the session is to end. Sets `ctx.body`; `form` must be in it as it is. */
export type SingleSessionSource = (ctx: RequestContext, form: string) => void | Promise<void>

/** The id of the form, for buttons of an application's own page. */
const FORM_ID = 'op.singleSessionForm'

/** The form, with its only button. Nothing posts it but the user. */
export function formOf(action: string, fields: Readonly<Record<string, string | undefined>>): string {
  const inputs = Object.entries(fields).map(([name, value]) =>
    value === undefined ? '' : `<input type="hidden" name="${name}" value="${escaped(value)}">`,
  )
  return (
    `<form id="${FORM_ID}" method="post" action="${escaped(action)}">${inputs.join('')}` +
    '<button type="submit">Sign out of that session</button></form>'
  )
}

/** The page, where the application has none of its own. */
export const plainPage: SingleSessionSource = (ctx, form) => {
  ctx.body = page(
    'Sign out',
    `<p>An application asks to end a session that is not the one of this browser: one on another device, or in another
browser.</p>
${form}
<p>If you did not ask for this, close this page. Nothing has ended.</p>`,
  )
}

/** The page that refuses. */
export function refusalPage(description: string): string {
  return page('That did not work', `<p>${escaped(description)}</p><p>Please start again from the application.</p>`)
}

/** Nobody may frame the page, and get the button pressed. */
export const HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
  'Content-Type': 'text/html; charset=utf-8',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

function page(title: string, content: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 26rem; margin: 15vh auto 0; padding: 0 1rem; }
button { font: inherit; padding: 0.6rem 1.2rem; cursor: pointer; }
</style>
</head>
<body><main><h1>${title}</h1>
${content}
</main></body>
</html>`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
