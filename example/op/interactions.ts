import { bodyParser } from '@koa/bodyparser'
import type { Context, Middleware } from 'koa'
import { errors, type InteractionResults, type Provider } from 'oidc-provider'
import { PageError } from '../pages/failures.ts'
import { type Html, html } from '../pages/html.ts'
import { show } from '../pages/layout.ts'
import type { Place } from '../settings.ts'
import { accountIdOf, KNOWN_ACCOUNTS, nameOf } from './accounts.ts'
import { OWN_CLIENT } from './devices.ts'

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>

const PATH = /^\/interaction\/[\w-]+(?:\/(?<answer>login|consent|cancel))?$/

/**
 * Login and consent: what oidc-provider leaves to the application. It sends the browser to `/interaction/<uid>` and
 * waits for the result; the interaction's cookie, bound to that path, tells that it is the same browser.
 */
export function interactions(provider: Provider, places: readonly Place[]): Middleware {
  const parseForm = bodyParser({ enableTypes: ['form'], formLimit: '8kb' })
  return async (ctx, next) => {
    const match = PATH.exec(ctx.path)
    if (match === null) return next()
    const interaction = await found(provider, ctx)
    const answer = match.groups?.['answer']
    let result: InteractionResults
    if (answer === undefined && ctx.method === 'GET') {
      if (!isOwnConsent(interaction)) return ask(ctx, interaction, places)
      result = { consent: { grantId: await grant(provider, interaction) } }
    } else {
      if (answer === undefined || ctx.method !== 'POST') return next()
      await parseForm(ctx, async () => {})
      result = await resultOf(answer, provider, interaction, ctx)
    }
    // Stored before the browser is sent on, so that it finds the result where it arrives.
    ctx.redirect(
      await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: answer !== 'cancel' }),
    )
    ctx.status = 303
  }
}

async function found(provider: Provider, ctx: Context): Promise<Interaction> {
  try {
    return await provider.interactionDetails(ctx.req, ctx.res)
  } catch (cause) {
    if (!(cause instanceof errors.SessionNotFound)) throw cause
    throw new PageError(400, 'This login is over, or it began in another browser. Begin again at the RP.', { cause })
  }
}

/** Nobody is asked whether the OP may show him its own pages. */
function isOwnConsent({ prompt, params }: Interaction): boolean {
  return prompt.name === 'consent' && params['client_id'] === OWN_CLIENT
}

function ask(ctx: Context, interaction: Interaction, places: readonly Place[]): void {
  const { prompt, params } = interaction
  const id = String(params['client_id'])
  const rp = places.find((place) => place.id === id)?.name ?? (id === OWN_CLIENT ? 'The OP' : id)
  const page = prompt.name === 'login' ? loginPage(ctx.path, rp) : consentPage(ctx.path, rp, interaction)
  show(ctx, { app: 'op', places, ...page })
}

async function resultOf(
  answer: string,
  provider: Provider,
  interaction: Interaction,
  ctx: Context,
): Promise<InteractionResults> {
  if (answer === 'cancel') return { error: 'access_denied', error_description: 'You did not want to.' }
  // The form may be one from before: what is asked now counts.
  if (answer !== interaction.prompt.name) throw new PageError(400, 'This form is out of date. Begin again at the RP.')
  if (answer === 'consent') return { consent: { grantId: await grant(provider, interaction) } }
  const accountId = accountIdOf((ctx.request.body as Record<string, unknown> | undefined)?.['login'])
  if (accountId === undefined)
    throw new PageError(400, 'A name has letters, digits, spaces, dots and dashes, 40 at most.')
  return { login: { accountId } }
}

/** Consent is a Grant that holds what was missing. */
async function grant(provider: Provider, { grantId, session, params, prompt }: Interaction): Promise<string> {
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  const grant =
    known ?? new provider.Grant({ accountId: String(session?.accountId), clientId: String(params['client_id']) })
  const missing = prompt.details['missingOIDCScope']
  if (Array.isArray(missing)) grant.addOIDCScope(missing.join(' '))
  return grant.save()
}

function loginPage(path: string, rp: string): { title: string; main: Html } {
  const accounts = [...KNOWN_ACCOUNTS].map(
    ([login, name]) =>
      html`<button name="login" value="${login}" class="account"><span class="avatar" aria-hidden="true">${name.charAt(0)}</span>${name}</button>`,
  )
  return {
    title: 'Log in',
    main: html`<section class="card narrow">
<h1>Who are you?</h1>
<p><b>${rp}</b> wants to know. This is an example: there are no passwords.</p>
<form method="post" action="${path}/login" class="accounts">${accounts}</form>
<form method="post" action="${path}/login" class="inline">
<label for="login">Somebody else</label>
<input id="login" name="login" required maxlength="40" autocomplete="username" autocapitalize="none">
<button>Log in</button>
</form>
${cancelForm(path)}
</section>`,
  }
}

function consentPage(path: string, rp: string, { session }: Interaction): { title: string; main: Html } {
  const name = nameOf(session?.accountId ?? '')
  return {
    title: 'Continue',
    main: html`<section class="card narrow">
<h1>Continue to ${rp}?</h1>
<p class="account"><span class="avatar" aria-hidden="true">${name.charAt(0)}</span><span>You are logged in as <b>${name}</b></span></p>
<p>${rp} will learn your name, and will be told when you log out.</p>
<form method="post" action="${path}/consent" class="choices"><button class="primary" autofocus>Continue</button></form>
${cancelForm(path)}
</section>`,
  }
}

function cancelForm(path: string): Html {
  return html`<form method="post" action="${path}/cancel"><button class="quiet">Cancel</button></form>`
}
