import type { Html } from './html.ts'
import { html } from './html.ts'

/** What a layout puts around the page. */
export interface LayoutParts<Context> {
  /** For `<title>`. */
  readonly title: string
  /** The page: HTML that is safe to send. */
  readonly main: string
  /** The language of the page, for `<html lang>`. */
  readonly language: string
  /** Allows a `<style>` or a `<script>` of the layout's own: `<style nonce="…">`. */
  readonly nonce: string
  /** The paths of the page's own stylesheet, and of its script: `<script type="module" src="…">`. */
  readonly stylesheet: string
  readonly script: string
  /** The framework's request. */
  readonly context: Context
}

/** The application's own look: a whole document, with `main` in it. */
export type Layout<Context> = (parts: LayoutParts<Context>) => string | Promise<string>

/** The look where the application has none. */
export function plainLayout(
  { title, language, stylesheet, script }: Omit<LayoutParts<unknown>, 'main'>,
  main: Html,
): string {
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="stylesheet" href="${stylesheet}">
<script type="module" src="${script}"></script>
</head>
<body class="as-body">
<main>${main}</main>
</body>
</html>
`.toString()
}
