/** Everything that the page says. What stands in braces is replaced. */
export interface AccountSessionsTexts {
  readonly title: string
  readonly sessionsHeading: string
  readonly sessionsHint: string
  readonly noSessions: string
  readonly moreSessions: string
  readonly thisDevice: string
  readonly unknownDevice: string
  /** `{time}` */
  readonly loggedIn: string
  /** `{time}` */
  readonly lastUsed: string
  /** `{apps}` */
  readonly signedInAt: string
  readonly endSession: string
  readonly endOthers: string
  readonly endOthersHint: string
  /** Where it is not known which session is this browser's. */
  readonly endAll: string
  readonly endAllHint: string
  readonly appsHeading: string
  readonly appsHint: string
  readonly noApps: string
  readonly moreApps: string
  /** `{time}` */
  readonly accessSince: string
  /** `{time}` */
  readonly accessUntil: string
  /** `{claims}` */
  readonly mayReadClaims: string
  /** `{resource}`, `{scopes}` */
  readonly mayAtResource: string
  readonly cannotBeTold: string
  readonly revokeApp: string
  readonly endedHeading: string
  readonly endedGoesOn: string
  /** `{apps}` */
  readonly told: string
  /** `{apps}` */
  readonly telling: string
  /** `{apps}` */
  readonly unreached: string
  /** `{apps}` */
  readonly spared: string
  /** `{apps}` */
  readonly untold: string
  readonly nobodyToTell: string
  /** Where more sessions ended than are looked at. `{count}`: how many are. */
  readonly moreEnded: string
  readonly loginNotRecent: string
  readonly logInAgain: string
  readonly notSignedIn: string
  /** To whoever has ended the session of this browser, on this page. */
  readonly signedOutHere: string
  readonly logIn: string
  readonly errorHeading: string
  readonly sessionUnknown: string
  readonly appUnknown: string
  readonly otherOrigin: string
  readonly unavailable: string
  /** Of everything else that a request may do wrong. */
  readonly requestInvalid: string
  readonly back: string
}

export const TEXTS: AccountSessionsTexts = {
  title: 'Your devices and apps',
  sessionsHeading: 'Where you are signed in',
  sessionsHint: 'If you do not know one of these, sign it out and change your password.',
  noSessions: 'You are signed in nowhere.',
  moreSessions: 'There are more than are shown. Sign out all others to be rid of them.',
  thisDevice: 'This device',
  unknownDevice: 'Unknown device',
  loggedIn: 'Signed in {time}',
  lastUsed: 'Last used {time}',
  signedInAt: 'Signed in at {apps}',
  endSession: 'Sign out',
  endOthers: 'Sign out all others',
  endOthersHint: 'Ends all sessions but this one, and the access of apps that was not given in this one.',
  endAll: 'Sign out everywhere',
  endAllHint: 'Ends all sessions, and the access of all apps.',
  appsHeading: 'Apps with access to your account',
  appsHint: 'You have allowed them what stands below. An app that you remove has to ask you again.',
  noApps: 'No app has access to your account.',
  moreApps: 'There are more than are shown.',
  accessSince: 'Has access since {time}',
  accessUntil: 'Until {time}',
  mayReadClaims: 'Read from your profile: {claims}',
  mayAtResource: 'At {resource}: {scopes}',
  cannotBeTold: 'Cannot be told when you sign out: it may keep you signed in for a while.',
  revokeApp: 'Remove access',
  endedHeading: 'Done',
  endedGoesOn: 'It is much, and goes on: reload this page in a moment.',
  told: 'Told: {apps}.',
  telling: 'Still telling: {apps}.',
  unreached: 'Could not be reached: {apps}. They may keep you signed in: sign out there.',
  spared: 'Not told, since you have signed in there again: {apps}.',
  untold: 'Cannot be told: {apps}. They may keep you signed in for a while.',
  nobodyToTell: 'No app had to be told.',
  moreEnded: 'This is of the first {count} sessions that ended. What apps of the others were told is not shown here.',
  loginNotRecent: 'To sign out or remove anything, log in again: your last login is a while ago.',
  logInAgain: 'Log in again',
  notSignedIn: 'You are not signed in.',
  signedOutHere: 'You are signed out on this device.',
  logIn: 'Log in',
  errorHeading: 'That did not work',
  sessionUnknown: 'There is no such session. It may have ended already.',
  appUnknown: 'No such app has access. It may have been removed already.',
  otherOrigin: 'This can be asked for on this page only. Open it and try again.',
  unavailable: 'This cannot be answered now. Try again in a moment.',
  requestInvalid: 'The request was not understood.',
  back: 'Back to your devices and apps',
}

/** What scopes of OpenID Connect allow (Core 1.0 sections 5.4 and 11), in words. Others are shown as they are called. */
export const SCOPES: Readonly<Record<string, string>> = {
  openid: 'Know who you are',
  profile: 'See your name and your profile',
  email: 'See your email address',
  address: 'See your postal address',
  phone: 'See your phone number',
  offline_access: 'Keep its access when you sign out',
}

/** The text with what stands in its braces. */
export function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? '') : whole,
  )
}
