import { get, put, remove } from './api.js'
import { timeOf } from './clock.js'
import { confirmed } from './confirm.js'
import { button, element } from './element.js'
import { Found } from './found.js'
import { orSay, say } from './status.js'

const view = document.getElementById('features')

export const features = new Found(
  view,
  () => get('/features'),
  ({ features: found }) => found.map(item),
)

const LEVELS = { instance: 'this issuer', system: 'the system' }

/** What follows when it is switched. */
const NAMES = {
  back_channel_logout: {
    name: 'Back-channel logout',
    on: 'Logins are registered, RPs are told, discovery announces it. What has waited is sent.',
    off: 'Nothing is registered, nothing is sent, discovery does not announce it. What is pending waits.',
  },
  single_session_termination: {
    name: 'End of a single session by ID token',
    on: 'An ID token with a sid, as id_token_hint, lets its user end that session from another browser.',
    off: 'An id_token_hint ends no session but the browser’s own.',
  },
}

function namesOf(feature) {
  return Object.hasOwn(NAMES, feature) ? NAMES[feature] : { name: feature, on: 'It is on.', off: 'It is off.' }
}

function item({ feature, enabled, from, configured, ...settings }) {
  const { name, on, off } = namesOf(feature)
  const source = from === 'configuration' ? 'by the configuration' : `set for ${LEVELS[from]}`
  return element(
    'section',
    { class: 'card', 'aria-labelledby': `feature-${feature}` },
    element(
      'h3',
      { id: `feature-${feature}` },
      name,
      ' ',
      onOff(enabled),
      ' ',
      element('span', { class: 'hint' }, source),
    ),
    element('p', { class: 'hint' }, enabled ? on : off),
    element(
      'ul',
      { class: 'levels' },
      Object.keys(LEVELS).map((level) => levelRow(feature, level, settings[level])),
      element('li', {}, element('span', {}, 'The configuration'), onOff(configured)),
    ),
  )
}

function levelRow(feature, level, setting) {
  const act = (label, work) =>
    button(label, work, {
      'data-key': `${label} ${feature} ${level}`,
      'aria-label': `${label}: ${namesOf(feature).name}, for ${LEVELS[level]}`,
    })
  return element(
    'li',
    {},
    element('span', {}, `For ${LEVELS[level]}`),
    setting === undefined
      ? element('span', { class: 'hint' }, 'not set')
      : element(
          'span',
          {},
          onOff(setting.enabled),
          element('span', { class: 'hint' }, ` by ${setting.actor}, `, timeOf(setting.at)),
        ),
    element(
      'span',
      { class: 'choices' },
      setting?.enabled !== true && act('Switch on', () => change(feature, level, true)),
      setting?.enabled !== false && act('Switch off', () => change(feature, level, false)),
      setting !== undefined && act('Reset', () => change(feature, level, undefined)),
    ),
  )
}

function onOff(enabled) {
  return element('span', { class: 'state', 'data-state': enabled ? 'on' : 'off' }, enabled ? 'on' : 'off')
}

/** @param enabled - `undefined`: what is set at this level is taken back */
async function change(feature, level, enabled) {
  const { name, on, off } = namesOf(feature)
  const act = enabled === undefined ? 'Reset' : enabled ? 'Switch on' : 'Switch off'
  const answer = await confirmed({
    title: `${act}: ${name}, for ${LEVELS[level]}?`,
    yes: act,
    dryRun: async () =>
      enabled === undefined ? 'What is set at the next level, or configured, holds again.' : enabled ? on : off,
  })
  if (answer === undefined) return
  await orSay(async () => {
    if (enabled === undefined) await remove('/features', { feature, level })
    else await put('/features', { feature, level, enabled })
    say(`Done: ${act.toLowerCase()}, for ${LEVELS[level]}.`)
  })
  await features.refresh()
}
