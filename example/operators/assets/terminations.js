import { get } from './api.js'
import { span, timeOf } from './clock.js'
import { count, element, short } from './element.js'
import { end } from './end.js'
import { Found } from './found.js'
import { wordsOf } from './words.js'

const view = document.getElementById('terminations')
const form = view.querySelector('form')
const all = document.getElementById('order-all')

export const terminations = new Found(view, () => get('/terminations'), list)

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const client = form.elements.client.value.trim()
  void order({ client }, { title: `End every login at ${client}?`, yes: 'End them' })
})
all.addEventListener('click', () =>
  order({ all: true }, { title: 'End all sessions of everybody?', yes: 'End them all', reasons: true }),
)

async function order(target, question) {
  await end(target, question)
  await terminations.refresh()
}

function list({ terminations: found, more }) {
  if (found.length === 0) return element('p', { class: 'empty' }, 'None was ordered yet.')
  return [
    element('ul', { class: 'cards' }, found.map(item)),
    more && element('p', { class: 'hint' }, 'There are older ones.'),
  ].filter(Boolean)
}

function item({
  id,
  state,
  of,
  accountId,
  clientId,
  reason,
  actor,
  orderedAt,
  completedAt,
  sessions,
  logins,
  grants,
  failed,
}) {
  const whose = { account: `All sessions of ${accountId}`, client: `Every login at ${clientId}`, all: 'All sessions' }[
    of
  ]
  return element(
    'li',
    { class: 'card' },
    element('h3', {}, whose ?? of, ' ', element('span', { class: 'state', 'data-state': state }, state)),
    element('p', { class: 'hint' }, timeOf(orderedAt), ` · ${wordsOf(reason)} · by ${actor} · `, short(id)),
    element(
      'p',
      {},
      `${count(sessions, 'session')}, ${count(logins, 'RP login')}, ${count(grants, 'grant')}`,
      state === 'running'
        ? ' so far'
        : completedAt !== undefined && `, in ${span(Math.max(0, completedAt - orderedAt))}`,
    ),
    failed > 0 && element('p', { class: 'refused' }, `${failed} could not be ended; the log says why.`),
  )
}
