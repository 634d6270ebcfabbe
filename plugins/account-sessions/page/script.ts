/*
 * The page's script: it runs in the browser, and makes nothing possible that cannot be done without it. It is written here
 * as a function, so that it is checked as all other code is, and sent as its own text. What it uses of the browser:
 */

interface PageElement {
  readonly dataset: Readonly<Record<string, string | undefined>>
  readonly dateTime: string
  textContent: string
  hidden: boolean
  querySelectorAll(selector: string): Iterable<PageElement>
}

declare const document: {
  readonly documentElement: { readonly lang: string }
  querySelectorAll(selector: string): Iterable<PageElement>
}
declare const fetch: (url: string) => Promise<{ readonly ok: boolean; json(): Promise<unknown> }>
declare const setTimeout: (fn: () => void, ms: number) => unknown

/** Shows times in the user's own zone, and keeps asking which apps were told; less often as time goes by. */
function enhance(): void {
  const format = new Intl.DateTimeFormat(document.documentElement.lang || undefined, {
    dateStyle: 'medium',
    timeStyle: 'short',
  })
  for (const time of document.querySelectorAll('.as-page time'))
    time.textContent = format.format(new Date(time.dateTime))

  const ask = async (notice: PageElement, url: string, waitMs: number): Promise<void> => {
    const answer = await fetch(url)
    if (!answer.ok) return
    const { settled, lines } = (await answer.json()) as { settled: boolean; lines: Record<string, string | undefined> }
    for (const line of notice.querySelectorAll('[data-kind]')) {
      const text = lines[line.dataset['kind'] ?? ''] ?? ''
      if (line.textContent !== text) line.textContent = text
      line.hidden = text === ''
    }
    if (!settled) later(notice, url, Math.min(waitMs * 1.5, 60_000))
  }
  const later = (notice: PageElement, url: string, waitMs: number): unknown =>
    setTimeout(() => {
      ask(notice, url, waitMs).catch(() => later(notice, url, 60_000))
    }, waitMs)
  for (const notice of document.querySelectorAll('.as-ended[data-ask]'))
    later(notice, notice.dataset['ask'] ?? '', 1_000)
}

export const SCRIPT: string = `(${enhance.toString()})()\n`
