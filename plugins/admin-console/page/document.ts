import { PAGE_HEADERS } from '../../../lib/web/page-headers.ts'
import type { Assets } from './assets.ts'

/** The one document of the console, whatever its path: what it shows is in the URL, and is asked for by its script. */
export function consoleDocument(basePath: string, { script, style, icon }: Assets): Response {
  const asset = (name: string): string => escaped(`${basePath}/assets/${name}`)
  return page(
    200,
    `<meta name="base-path" content="${escaped(basePath)}">
<link rel="icon" href="${asset(icon)}">
<link rel="stylesheet" href="${asset(style)}">
<script type="module" src="${asset(script)}"></script>`,
    '<noscript>This console needs JavaScript.</noscript>',
  )
}

/** For somebody who is not signed in, where the application has no page to sign in. */
export function notSignedInDocument(): Response {
  return page(401, '', '<p>You are not signed in as an operator.</p>')
}

function page(status: number, head: string, body: string): Response {
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Operators’ console</title>
${head}
</head>
<body>${body}</body>
</html>
`
  return new Response(html, { status, headers: { ...PAGE_HEADERS, 'Content-Type': 'text/html; charset=utf-8' } })
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
