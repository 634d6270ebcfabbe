import { get } from './api.js'
import { timeOf } from './clock.js'
import { button, count, element, short } from './element.js'
import { end } from './end.js'
import { Found } from './found.js'

const view = document.getElementById('sessions')
const form = view.querySelector('form')
let account = ''

export const sessions = new Found(view, async () => (account === '' ? undefined : get('/sessions', { account })), list)

form.addEventListener('submit', (event) => {
  event.preventDefault()
  account = form.elements.account.value.trim()
  void sessions.refresh()
})

function list({ sessions: found, more }) {
  if (found.length === 0) return element('p', { class: 'empty' }, `${account} has no live session.`)
  return [
    element(
      'div',
      { class: 'bar' },
      element(
        'p',
        {},
        more
          ? `The ${found.length} of ${account} that were used last:`
          : `${count(found.length, 'live session')} of ${account}`,
      ),
      button(`End all of ${account}`, endAll, { class: 'danger', 'data-key': 'all' }),
    ),
    element('ul', { class: 'cards' }, found.map(item)),
  ]
}

function item({ uid, since, expiresAt, logins }) {
  return element(
    'li',
    { class: 'card' },
    element(
      'p',
      {},
      since === undefined ? 'Logged in' : ['Logged in since ', timeOf(since)],
      expiresAt !== undefined && [' · expires ', timeOf(expiresAt)],
      ' · ',
      short(uid),
    ),
    logins.length === 0
      ? element('p', { class: 'hint' }, 'At no RP.')
      : element('ul', { class: 'rps' }, logins.map(rp)),
    button('End this session', () => endOne(uid), { 'data-key': `end ${uid}` }),
  )
}

function rp({ clientId, sid, hasBackchannelLogout }) {
  return element(
    'li',
    {},
    element('b', { class: 'rp', 'data-app': clientId }, clientId),
    ' ',
    short(sid),
    !hasBackchannelLogout && element('span', { class: 'hint' }, ' is not told of logouts'),
  )
}

async function endOne(session) {
  await end({ session }, { title: 'End this session?', yes: 'End it' })
  await sessions.refresh()
}

async function endAll() {
  await end({ account }, { title: `End all sessions of ${account}?`, yes: 'End them all', reasons: true })
  await sessions.refresh()
}
