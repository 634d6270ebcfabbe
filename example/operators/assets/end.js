import { post } from './api.js'
import { confirmed } from './confirm.js'
import { count } from './element.js'
import { orSay, say } from './status.js'

/** Says what would end, asks whether it is to, ends it, and says what came of it. */
export async function end(target, question) {
  const order = (reason, dryRun) =>
    post('/terminations', { ...target, ...(question.reasons && { reason }), ...(dryRun && { dryRun }) })
  const reason = await confirmed({ ...question, dryRun: async (chosen) => wordsOf(await order(chosen, true)) })
  if (reason === undefined) return
  await orSay(async () => say(wordsOf(await order(reason)) ?? 'It had ended already.'))
}

/** @returns `undefined` where it comes to nothing */
function wordsOf({ state, sessions, logins, grants, failed }) {
  if (state === 'running') return 'It is under way, and goes on: see Terminations.'
  if (sessions === 0 && logins === 0 && grants === 0 && failed === 0) return undefined
  const [ended, revoked, ofWhat] = [count(sessions, 'session'), count(grants, 'grant'), count(logins, 'login')]
  const words =
    state === 'dry_run'
      ? `${ended} will end, ${revoked} will be revoked; RPs will be told that ${ofWhat} ended.`
      : `${ended} ended, ${revoked} revoked; RPs are being told that ${ofWhat} ended: see Logouts.`
  return failed > 0 ? `${words} ${failed} could not be ended; the OP’s log says why.` : words
}
