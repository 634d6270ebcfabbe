// The operators' page: which view is shown, and that it stays true while it is open. What the server answers becomes
// elements in the view's own module; nothing here, or there, makes HTML of text.
import { follow } from './api.js'
import { deadLetters } from './dead-letters.js'
import { features } from './features.js'
import { logouts } from './logouts.js'
import { sessions } from './sessions.js'
import { clear } from './status.js'
import { terminations } from './terminations.js'

const VIEWS = { sessions, logouts, 'dead-letters': deadLetters, terminations, features }
const FIRST = 'sessions'

/** Changes come in crowds: what comes so soon after the first, in milliseconds, is looked at with it. */
const QUIET_MS = 500

const links = [...document.querySelectorAll('nav.views a')]

function current() {
  const name = location.hash.slice(1)
  return Object.hasOwn(VIEWS, name) ? name : FIRST
}

function open() {
  const name = current()
  for (const link of links) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  for (const view of document.querySelectorAll('section.view')) view.hidden = view.id !== name
  document.title = document.title.replace(
    /^[^·]*/,
    `${document.getElementById(`${name}-title`).textContent} · Operators `,
  )
  return VIEWS[name].refresh()
}

let waiting = false
function changed() {
  if (waiting) return
  waiting = true
  setTimeout(() => {
    waiting = false
    void VIEWS[current()].refresh()
  }, QUIET_MS)
}

addEventListener('hashchange', () => {
  clear()
  void open()
  document.getElementById(`${current()}-title`).focus()
})

void open()
follow(changed)
