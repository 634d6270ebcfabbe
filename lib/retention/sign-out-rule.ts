import { isOlder, type RetentionRule } from './retention-rule.ts'

/** Who goes on with an interaction has read sign-outs within this time, in milliseconds. */
const RACE_MS = 24 * 3_600_000

/** That an account was forgotten is told as long as the history of its logouts. */
export const forgottenRule: RetentionRule = {
  knows: ({ type }) => type === 'account.forgotten',
  async judge(_facts, context) {
    return { mayGo: ({ commit: { position } }) => isOlder(position, context.policy.sessionLogoutsMs, context) }
  },
}

/** A sign-out is asked for by logins whose interaction began before it: it stays until none of those is left. */
export const signOutRule: RetentionRule = {
  knows: ({ type }) => type === 'account.signed_out',
  async judge(_facts, context) {
    const { policy, samples, remaining } = context
    return {
      mayGo({ commit: { position } }) {
        const end = samples.endAfter(position, RACE_MS)
        return isOlder(position, policy.statesMs, context) && end !== undefined && remaining.interactions >= end
      },
    }
  },
}
