import type { OwnSession, Some } from '../own/own-sessions.ts'
import { type Html, html } from './html.ts'
import { filled } from './texts.ts'
import type { Wording } from './wording.ts'

/** What forms are made with. */
export interface FormParts {
  readonly basePath: string
  readonly wording: Wording
  /** Whether the login is recent enough to end anything: else there are no forms. */
  readonly isRecent: boolean
}

/** Where the account is signed in. */
export function sessionsView({ items, more }: Some<OwnSession>, parts: FormParts): Html {
  const { texts } = parts.wording
  return html`<section class="as-section" aria-labelledby="as-sessions">
<h2 id="as-sessions">${texts.sessionsHeading}</h2>
<p class="as-hint">${texts.sessionsHint}</p>
${items.length > 0 ? html`<ul class="as-list">${items.map((session) => sessionCard(session, parts))}</ul>` : html`<p>${texts.noSessions}</p>`}
${more && html`<p class="as-hint">${texts.moreSessions}</p>`}
${parts.isRecent && (more || items.some(({ isCurrent }) => !isCurrent)) && endOthersForm(items, parts)}
</section>`
}

function sessionCard(session: OwnSession, { basePath, wording, isRecent }: FormParts): Html {
  const { texts } = wording
  const { id, isCurrent, loggedInAt, usedAt, place, ip, apps } = session
  const name = session.label ?? session.userAgent ?? texts.unknownDevice
  const facts = [place, ip].filter((fact) => fact !== undefined).join(' · ')
  return html`<li class="as-card"${isCurrent && html` data-current`}>
<div>
<h3>${name}${isCurrent && html` <span class="as-badge">${texts.thisDevice}</span>`}</h3>
${facts !== '' && html`<p>${facts}</p>`}
<p class="as-hint">${loggedInAt !== undefined && timed(texts.loggedIn, loggedInAt, wording)}${loggedInAt !== undefined && usedAt !== undefined && ' · '}${usedAt !== undefined && timed(texts.lastUsed, usedAt, wording)}</p>
${apps.length > 0 && html`<p class="as-hint">${filled(texts.signedInAt, { apps: wording.list(apps.map((app) => app.name)) })}</p>`}
</div>
${isRecent && html`<form method="post" action="${basePath}/sessions/end"><input type="hidden" name="id" value="${id}"><button aria-label="${texts.endSession}: ${name}${isCurrent && ` (${texts.thisDevice})`}">${texts.endSession}</button></form>`}
</li>`
}

function endOthersForm(items: readonly OwnSession[], { basePath, wording: { texts } }: FormParts): Html {
  const isOneKnown = items.some(({ isCurrent }) => isCurrent)
  return html`<form class="as-all" method="post" action="${basePath}/sessions/end-others">
<button aria-describedby="as-all-hint">${isOneKnown ? texts.endOthers : texts.endAll}</button>
<p class="as-hint" id="as-all-hint">${isOneKnown ? texts.endOthersHint : texts.endAllHint}</p>
</form>`
}

/** A text with a time in it, which the page's script brings into the user's own zone. */
export function timed(text: string, at: number, wording: Wording): Html {
  const [before = '', after = ''] = text.split('{time}', 2)
  return html`${before}<time datetime="${new Date(at).toISOString()}">${wording.time(at)}</time>${after}`
}
