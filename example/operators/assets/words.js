/** Why sessions end: the server has the words. A reason that this page does not know is shown as it is. */
const REASONS = new Map(Array.from(document.getElementById('reasons').options, ({ value, text }) => [value, text]))

export const wordsOf = (reason) => REASONS.get(reason) ?? reason

/** What an operator may give as the reason. */
export const ORDER_REASONS = [
  'admin',
  'account_disabled',
  'account_deleted',
  'password_changed',
  'signed_out_everywhere',
]

/** Why a delivery is where it is. */
const FAILURES = {
  budget_spent: 'all attempts failed',
  expired: 'it could not be told in time',
  client_deleted: 'its client was deleted',
  no_uri: 'its client has no back-channel logout URI any more',
  newer_login: 'it would have ended a newer login',
  refused: 'it refuses for good',
}

export const wordsOfFailure = (reason) => (Object.hasOwn(FAILURES, reason) ? FAILURES[reason] : reason)
