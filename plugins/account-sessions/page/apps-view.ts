import type { OwnApp } from '../own/own-apps.ts'
import type { Some } from '../own/own-sessions.ts'
import { type Html, html } from './html.ts'
import { type FormParts, timed } from './sessions-view.ts'
import { filled } from './texts.ts'
import type { Wording } from './wording.ts'

/** Which apps have access to the account, and what they may do. */
export function appsView({ items, more }: Some<OwnApp>, parts: FormParts): Html {
  const { texts } = parts.wording
  return html`<section class="as-section" aria-labelledby="as-apps">
<h2 id="as-apps">${texts.appsHeading}</h2>
${
  items.length > 0
    ? html`<p class="as-hint">${texts.appsHint}</p>
<ul class="as-list">${items.map((app) => appCard(app, parts))}</ul>`
    : html`<p>${texts.noApps}</p>`
}
${more && html`<p class="as-hint">${texts.moreApps}</p>`}
</section>`
}

function appCard(app: OwnApp, { basePath, wording, isRecent }: FormParts): Html {
  const { texts } = wording
  const { clientId, name, uri, since, expiresAt, canBeTold } = app
  return html`<li class="as-card">
<div>
<h3>${name}</h3>
${uri !== undefined && html`<p><a href="${uri}" rel="noreferrer">${new URL(uri).host}</a></p>`}
<ul class="as-may">${permissions(app, wording).map((permission) => html`<li>${permission}</li>`)}</ul>
<p class="as-hint">${since !== undefined && timed(texts.accessSince, since, wording)}${since !== undefined && expiresAt !== undefined && ' · '}${expiresAt !== undefined && timed(texts.accessUntil, expiresAt, wording)}</p>
${!canBeTold && html`<p class="as-hint">${texts.cannotBeTold}</p>`}
</div>
${isRecent && html`<form method="post" action="${basePath}/apps/revoke"><input type="hidden" name="clientId" value="${clientId}"><button aria-label="${texts.revokeApp}: ${name}">${texts.revokeApp}</button></form>`}
</li>`
}

function permissions({ scopes, claims, resources }: OwnApp, wording: Wording): string[] {
  const { texts } = wording
  return [
    ...scopes.map((scope) => wording.scope(scope)),
    ...(claims.length > 0 ? [filled(texts.mayReadClaims, { claims: wording.list(claims) })] : []),
    ...resources.map(({ resource, scopes: there }) =>
      filled(texts.mayAtResource, { resource, scopes: wording.list(there.map((scope) => wording.scope(scope))) }),
    ),
  ]
}
