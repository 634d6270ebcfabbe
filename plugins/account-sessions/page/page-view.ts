import type { OwnApp } from '../own/own-apps.ts'
import type { OwnSession, Some } from '../own/own-sessions.ts'
import { appsView } from './apps-view.ts'
import { type Html, html } from './html.ts'
import { type FormParts, sessionsView } from './sessions-view.ts'
import type { ToldLines } from './wording.ts'

/** What was ended a moment ago, and which apps know. */
export interface EndedView {
  /** The reference under which the API says how it goes on. */
  readonly reference: string
  readonly lines: ToldLines
  readonly settled: boolean
  /** Whether the request could not wait until all of it had ended. It is said until all is settled. */
  readonly goesOn: boolean
}

/** The whole page, without what the application puts around it. */
export function pageView(
  sessions: Some<OwnSession>,
  apps: Some<OwnApp>,
  parts: FormParts & { readonly login: string; readonly ended: EndedView | undefined },
): Html {
  const { wording, isRecent, login, ended } = parts
  const { texts } = wording
  return html`<div class="as-page" lang="${wording.language}">
<h1>${texts.title}</h1>
${ended && endedView(ended, parts)}
${!isRecent && html`<div class="as-notice"><p>${texts.loginNotRecent}</p><p><a class="as-button" href="${login}">${texts.logInAgain}</a></p></div>`}
${sessionsView(sessions, parts)}
${appsView(apps, parts)}
</div>`
}

const KINDS = [
  'told',
  'telling',
  'unreached',
  'spared',
  'untold',
  'nobody',
  'more',
] as const satisfies readonly (keyof ToldLines)[]

/** The script asks how it goes on; without it the page is loaded again. */
function endedView(
  { reference, lines, settled, goesOn }: EndedView,
  { basePath, wording: { texts } }: FormParts,
): Html {
  const ask = settled ? undefined : `${basePath}/api/ended?reference=${encodeURIComponent(reference)}`
  return html`<div class="as-notice as-ended" role="status"${ask !== undefined && html` data-ask="${ask}"`}>
<h2>${texts.endedHeading}</h2>
${goesOn && !settled && html`<p data-goes-on>${texts.endedGoesOn}</p>`}
${KINDS.map((kind) => html`<p data-kind="${kind}"${lines[kind] === undefined && html` hidden`}>${lines[kind]}</p>`)}
</div>`
}

/** A page that says one thing, and where to go on. */
export interface MessageView {
  /** Whether something went wrong. */
  readonly isError: boolean
  readonly heading: string
  readonly message: string
  readonly link: { readonly href: string; readonly text: string }
}

export function messageView({ isError, heading, message, link }: MessageView, language: string): Html {
  return html`<div class="as-page" lang="${language}">
<h1>${heading}</h1>
<p role="${isError ? 'alert' : 'status'}">${message}</p>
<p><a class="as-button" href="${link.href}">${link.text}</a></p>
</div>`
}
