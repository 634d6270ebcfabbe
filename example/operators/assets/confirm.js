import { element } from './element.js'
import { orSay } from './status.js'
import { ORDER_REASONS, wordsOf } from './words.js'

const dialog = document.getElementById('confirm')
const [title, what, why, reason, yes] = ['title', 'what', 'why', 'reason', 'yes'].map((part) =>
  document.getElementById(`confirm-${part}`),
)

/** Tells whoever waits for the answer to the question that is open. */
let settle = () => {}
dialog.addEventListener('submit', ({ submitter }) => settle(submitter?.value))
// Browsers tell it late, and only so where Escape closed it: the next question may be open by then.
dialog.addEventListener('close', () => {
  if (!dialog.open) settle('no')
})

/** How often it was looked what would be done: the newest look counts. */
let looks = 0

/**
 * Asks before something is done that cannot be taken back, and says what it would do: the dry run says that, for the
 * reason that is chosen.
 *
 * @param question.dryRun - called with the reason; resolves with the words, or with `undefined`: there is nothing to do
 * @param question.reasons - whether the operator says why
 * @returns the reason (empty where none is asked for); `undefined`: it is not to be done
 */
export async function confirmed(question) {
  title.textContent = question.title
  yes.textContent = question.yes
  why.hidden = !question.reasons
  reason.replaceChildren(...ORDER_REASONS.map((code) => element('option', { value: code }, wordsOf(code))))
  const chosen = () => (question.reasons ? reason.value : '')
  const look = async () => {
    yes.disabled = true
    looks += 1
    const number = looks
    const words = await orSay(() => question.dryRun(chosen()))
    if (number !== looks) return // something else was asked meanwhile
    what.textContent = words ?? 'There is nothing to do.'
    yes.disabled = words === undefined
  }
  what.textContent = 'Looking…'
  reason.onchange = look
  settle('no') // the question before was closed, though that was not told yet
  dialog.showModal()
  void look()
  const answer = await new Promise((resolve) => {
    settle = resolve
  })
  return answer === 'yes' ? chosen() : undefined
}
