import { get, post } from './api.js'
import { timeOf } from './clock.js'
import { confirmed } from './confirm.js'
import { button, count, element, short } from './element.js'
import { Found } from './found.js'
import { orSay, say } from './status.js'
import { wordsOf, wordsOfFailure } from './words.js'

const view = document.getElementById('dead-letters')
const form = view.querySelector('form')
let filter = {}

export const deadLetters = new Found(view, () => get('/dead-letters', filter), list)

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const { client, since } = form.elements
  filter = { client: client.value.trim(), since: since.value === '' ? undefined : new Date(since.value).getTime() }
  void deadLetters.refresh()
})

function list({ deadLetters: found, more }) {
  if (found.length === 0) return element('p', { class: 'empty' }, 'None: every RP was told, or is still being told.')
  const { client, since } = filter
  const whose = client ? ` of ${client}` : ''
  const when = since === undefined ? '' : ` since ${new Date(since).toLocaleString('en-GB')}`
  return [
    element(
      'div',
      { class: 'bar' },
      element('p', {}, more ? `The newest ${found.length}:` : count(found.length, 'dead letter')),
      button(`Replay all${whose}${when}`, () => replayAll(`${whose}${when}`), { class: 'primary', 'data-key': 'all' }),
    ),
    element('ul', { class: 'cards' }, found.map(item)),
  ]
}

function item({
  delivery,
  sessionUid,
  clientId,
  reason,
  endedAt,
  at,
  state,
  failureReason,
  attempts,
  status,
  error,
  answer,
  replays,
}) {
  return element(
    'li',
    { class: 'card' },
    element(
      'h3',
      {},
      element('span', { class: 'rp', 'data-app': clientId }, clientId),
      ' ',
      element('span', { class: 'state', 'data-state': state }, state),
    ),
    element(
      'p',
      { class: 'hint' },
      'dead since ',
      timeOf(at),
      ' · ',
      wordsOf(reason),
      ' at ',
      timeOf(endedAt),
      ' · ',
      short(sessionUid),
    ),
    element(
      'p',
      {},
      `${count(attempts, 'attempt')}: ${wordsOfFailure(failureReason)}`,
      status !== undefined && ` · HTTP ${status}`,
      error !== undefined && ` · ${error}`,
      replays > 0 && ` · replayed ${count(replays, 'time')} before`,
    ),
    answer !== undefined && answer !== '' && element('blockquote', {}, answer),
    button('Replay', () => replayOne({ delivery, sessionUid }, clientId), { 'data-key': `replay ${delivery}` }),
  )
}

async function replayOne(target, clientId) {
  const answer = await confirmed({
    title: `Tell ${clientId} again?`,
    yes: 'Replay',
    dryRun: async () => wordsOfReplay(await post('/replays', { ...target, dryRun: true })),
  })
  if (answer !== undefined) await replay(target)
}

async function replayAll(which) {
  const { client, since = 0 } = filter
  const target = { ...(client && { client }), since }
  const answer = await confirmed({
    title: `Replay all dead letters${which}?`,
    yes: 'Replay all',
    dryRun: async () => wordsOfReplay(await post('/replays', { ...target, dryRun: true })),
  })
  if (answer !== undefined) await replay(target)
}

async function replay(target) {
  await orSay(async () => {
    const { replayed } = await post('/replays', target)
    say(`${count(replayed, 'dead letter is', 'dead letters are')} being sent again: see Logouts.`)
  })
  await deadLetters.refresh()
}

function wordsOfReplay({ replayed }) {
  return replayed === 0 ? undefined : `${count(replayed, 'dead letter')} will be sent again.`
}
