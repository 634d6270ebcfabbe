import { get } from './api.js'
import { countdown, span, timeOf } from './clock.js'
import { count, element, short } from './element.js'
import { Found } from './found.js'
import { wordsOf, wordsOfFailure } from './words.js'

const view = document.getElementById('logouts')
const form = view.querySelector('form')
let filter = {}

export const logouts = new Found(view, () => get('/logouts', filter), list)

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const { account, client, state } = form.elements
  filter = { account: account.value.trim(), client: client.value.trim(), state: state.value }
  void logouts.refresh()
})

function list({ logouts: found, more }) {
  const ends = found.flatMap(({ sessionUid, ends }) => ends.map((end) => ({ ...end, sessionUid })))
  if (ends.length === 0) return element('p', { class: 'empty' }, 'No session has ended of which that is true.')
  ends.sort((a, b) => b.at - a.at)
  return [
    element('ul', { class: 'cards' }, ends.map(item)),
    more && element('p', { class: 'hint' }, 'There are older ones: say of which account or RP.'),
  ].filter(Boolean)
}

function item({ sessionUid, reason, at, scope, initiatingClient, actor, relyingParties, timeToLogoutMs }) {
  return element(
    'li',
    { class: 'card' },
    element('h3', {}, wordsOf(reason)),
    element(
      'p',
      { class: 'hint' },
      timeOf(at),
      scope === 'session' ? ' · the whole session' : ' · single logins',
      initiatingClient !== undefined && ` · asked for by ${initiatingClient}`,
      actor !== undefined && ` · by ${actor}`,
      ' · ',
      short(sessionUid),
    ),
    relyingParties.length === 0
      ? element('p', { class: 'hint' }, 'No RP had to be told.')
      : element('ul', { class: 'deliveries' }, relyingParties.map(delivery)),
    timeToLogoutMs !== undefined &&
      element('p', { class: 'total' }, 'Everybody was told within ', element('b', {}, span(timeToLogoutMs))),
  )
}

function delivery({
  clientId,
  sid,
  state,
  attempts,
  replays,
  status,
  failureReason,
  at,
  nextAttemptAt,
  timeToLogoutMs,
}) {
  return element(
    'li',
    { class: 'told' },
    element('b', { class: 'rp', 'data-app': clientId }, clientId),
    element('span', { class: 'state', 'data-state': state }, state),
    element(
      'span',
      { class: 'hint' },
      element('span', { title: sid === '' ? 'the token has no sid' : `sid ${sid}` }, count(attempts, 'attempt')),
      replays !== undefined && ` since ${count(replays, 'replay')}`,
      status !== undefined && ` · HTTP ${status}`,
      failureReason !== undefined && failureReason !== `HTTP ${status}` && ` · ${wordsOfFailure(failureReason)}`,
      timeToLogoutMs !== undefined && ` · told after ${span(timeToLogoutMs)}`,
      state !== 'confirmed' && at !== undefined && [' · ', timeOf(at)],
      nextAttemptAt !== undefined && [' · next ', countdown(nextAttemptAt)],
    ),
  )
}
