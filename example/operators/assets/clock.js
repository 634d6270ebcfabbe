import { element } from './element.js'

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })

/** The time of the day, with the day where that is not today. */
export function timeOf(at, attributes = {}) {
  const date = new Date(at)
  const today = date.toDateString() === new Date().toDateString()
  const words = today ? TIME.format(date) : `${DAY.format(date)}, ${TIME.format(date)}`
  return element('time', { datetime: date.toISOString(), title: date.toLocaleString('en-GB'), ...attributes }, words)
}

/** The same, counted down to. */
export function countdown(to) {
  return timeOf(to, { 'data-countdown': true })
}

/** A span of time for people: `240 ms`, `3.4 s`, `2 min`. */
export function span(ms) {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  return `${Math.round(ms / 60_000)} min`
}

setInterval(() => {
  for (const time of document.querySelectorAll('time[data-countdown]')) {
    const seconds = Math.ceil((Date.parse(time.dateTime) - Date.now()) / 1_000)
    time.textContent = seconds > 0 ? `in ${seconds} s` : 'any moment'
  }
}, 500)
