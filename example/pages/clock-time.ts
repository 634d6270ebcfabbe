import { type Html, html } from './html.ts'

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** The time of the day, as read off the machine's clock. */
export function clockTime(at: number): Html {
  return html`<time datetime="${new Date(at).toISOString()}">${TIME.format(at)}</time>`
}

/** The same, and the browser counts down to it. */
export function countdown(to: number): Html {
  return html`<time datetime="${new Date(to).toISOString()}" data-countdown>${TIME.format(to)}</time>`
}

/** A span of time for people: `240 ms`, `3.4 s`, `2 min`. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  return `${Math.round(ms / 60_000)} min`
}
