/** Who ends something, in the log and in the receipts: the account itself, on this page. */
export const ACTOR = 'account:self'
