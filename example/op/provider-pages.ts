import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider'
import { type Html, html, trusted } from '../pages/html.ts'
import { show } from '../pages/layout.ts'
import type { Place } from '../settings.ts'
import { nameOf } from './accounts.ts'

/**
 * RP-Initiated Logout 1.0 section 2: the OP asks. The form is oidc-provider's own; what is submitted with
 * `logout=yes` ends the session, without it only the login at the RP that asked.
 */
export function logoutPage(ctx: KoaContextWithOIDC, form: string, places: readonly Place[]): void {
  const { session, client } = ctx.oidc
  const rps = places.filter(({ id }) => session?.sidFor(id) !== undefined)
  const asking = rps.find(({ id }) => id === client?.clientId)
  const others = rps.filter((rp) => rp !== asking)
  const main = html`<section class="card narrow">
<h1>Log out everywhere?</h1>
<p>You are <b>${nameOf(session?.accountId ?? '')}</b>, logged in at ${named(rps)}.</p>
${trusted(form)}
<div class="choices">
<button form="op.logoutForm" name="logout" value="yes" class="primary">Log out everywhere</button>
${
  asking
    ? html`<button form="op.logoutForm">Only from ${asking.name}</button>`
    : html`<button form="op.logoutForm">Stay logged in</button>`
}
</div>
<p class="hint">${asking && others.length > 0 && html`“Only from ${asking.name}” leaves ${named(others)} logged in. `}Whatever you choose is recorded before this page answers; the RPs are told right after.</p>
</section>`
  show(ctx, { app: 'op', places, title: 'Log out', main })
}

export function loggedOutPage(ctx: KoaContextWithOIDC, places: readonly Place[]): void {
  const { client } = ctx.oidc
  const from = places.find(({ id }) => id === client?.clientId)
  const main = html`<section class="card narrow">
<h1>You are logged out</h1>
<p>${from ? `From ${from.name} only. Your session at the OP goes on.` : 'Your session at the OP has ended, and the RPs are being told.'}</p>
<p><a class="button" href="/">Watch it happen</a></p>
</section>`
  show(ctx, { app: 'op', places, title: 'Logged out', main })
}

export function providerFailurePage(ctx: KoaContextWithOIDC, out: ErrorOut, places: readonly Place[]): void {
  const main = html`<section class="card narrow">
<h1>The OP refuses</h1>
<p>${out.error_description ?? 'It gives no reason.'}</p>
<p class="hint"><code>${out.error}</code></p>
<p><a class="button" href="/">To the first page</a></p>
</section>`
  show(ctx, { app: 'op', places, title: 'Refused', main }, ctx.status)
}

function named(rps: readonly Place[]): Html {
  if (rps.length === 0) return html`no RP`
  return html`${rps.map(({ name }, index) => html`${index > 0 && ' and '}<b>${name}</b>`)}`
}
