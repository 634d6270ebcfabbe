/**
 * The page's script: it runs in the browser, and makes nothing possible that cannot be done without it. It shows times in the
 * user's own zone. It keeps asking which apps were told, less often as time goes by, until all is settled or the server
 * refuses the question (4xx). It is a text, and not a function whose text is sent: bundlers of applications and instruments of
 * coverage write functions anew, with names that no browser has.
 */
export const SCRIPT: string = `'use strict'
{
  const format = new Intl.DateTimeFormat(document.documentElement.lang || undefined, {
    dateStyle: 'medium',
    timeStyle: 'short',
  })
  for (const time of document.querySelectorAll('.as-page time'))
    time.textContent = format.format(new Date(time.dateTime))

  const ask = async (notice, url, waitMs) => {
    const answer = await fetch(url)
    if (answer.status >= 400 && answer.status < 500) return
    if (!answer.ok) return later(notice, url, 60_000)
    const { settled, lines } = await answer.json()
    for (const line of notice.querySelectorAll('[data-kind]')) {
      const text = lines[line.dataset.kind] ?? ''
      if (line.textContent !== text) line.textContent = text
      line.hidden = text === ''
    }
    if (!settled) return later(notice, url, Math.min(waitMs * 1.5, 60_000))
    for (const line of notice.querySelectorAll('[data-goes-on]')) line.hidden = true
  }
  const later = (notice, url, waitMs) =>
    setTimeout(() => {
      ask(notice, url, waitMs).catch(() => later(notice, url, 60_000))
    }, waitMs)
  for (const notice of document.querySelectorAll('.as-ended[data-ask]')) later(notice, notice.dataset.ask, 1_000)
}
`
