import type { Commit, Event } from 'oidc-provider-eventstore'
import type { ReceiptEntry } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { clockTime, countdown, span } from '../pages/clock-time.ts'
import { type Html, html } from '../pages/html.ts'
import type { Place } from '../settings.ts'
import { nameOf } from './accounts.ts'
import { DEVICES } from './devices.ts'
import { GIVEN_UP, REASONS } from './reasons.ts'
import type { RecentLogout } from './recent-logouts.ts'

/** As much of oidc-provider's session as is shown. */
interface SessionView {
  readonly accountId?: string | undefined
  readonly loginTs?: number | undefined
  sidFor(clientId: string): string | undefined
}

export interface Dashboard {
  readonly session: SessionView
  readonly logouts: readonly RecentLogout[]
  readonly commits: readonly Commit[]
  readonly places: readonly Place[]
  readonly endSession: string
}

export function dashboardPage({ session, logouts, commits, places, endSession }: Dashboard): Html {
  return html`<h1 class="visually-hidden">Logouts and log of the OP</h1>
<section class="card you" id="you" data-live aria-label="Your session">${you(session, places, endSession)}</section>
<div class="columns">
<section aria-labelledby="receipts-title">
<h2 id="receipts-title">Logouts</h2>
<p class="hint lead">End sessions, send what an RP has missed, switch features: the <a href="/operators">operators’ console</a>.</p>
<div id="receipts" data-live aria-live="polite">${logouts.length > 0 ? logouts.map((logout) => receipt(logout, places)) : html`<p class="empty">None yet. Log in at both RPs, then log out at one.</p>`}</div>
</section>
<section aria-labelledby="log-title">
<h2 id="log-title">The log <span class="connection" aria-hidden="true"></span></h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="log-title">
<table class="log">
<thead><tr><th scope="col">Position</th><th scope="col">Time</th><th scope="col">What happened</th></tr></thead>
<tbody id="log" data-live>${commits.length > 0 ? commits.toReversed().map(commitRow) : NO_COMMITS}</tbody>
</table>
</div>
</section>
</div>
<noscript><p class="hint">Without JavaScript: reload the page to see what happened since.</p></noscript>`
}

function you(session: SessionView, places: readonly Place[], endSession: string): Html {
  const { accountId, loginTs } = session
  if (accountId === undefined) {
    return html`<p>Nobody is logged in in this browser.</p><p class="choices">${places
      .filter(({ id }) => id !== 'op')
      .map(({ name, origin, id }) => html`<a class="button" data-app="${id}" href="${origin}/">Go to ${name}</a>`)}</p>`
  }
  const rps = places.filter(({ id }) => session.sidFor(id) !== undefined)
  return html`<p class="account"><span class="avatar" aria-hidden="true">${nameOf(accountId).charAt(0)}</span>
<span><b>${nameOf(accountId)}</b>, logged in here${loginTs !== undefined && html` since ${clockTime(loginTs * 1_000)}`}<br>
<span class="rps">${rps.length > 0 ? rps.map(({ name, id }) => html`<span class="rp" data-app="${id}">${name}</span> `) : 'at no RP yet'}</span></span></p>
<p class="choices"><a class="button" href="${DEVICES}/">Your devices and apps</a> <a class="button" href="${endSession}">Log out</a></p>`
}

function receipt(logout: RecentLogout, places: readonly Place[]): Html {
  const { sessionUid, at, reason, scope, initiatingClient, relyingParties, timeToLogoutMs } = logout
  const by = places.find(({ id }) => id === initiatingClient)?.name ?? initiatingClient
  return html`<article class="card receipt" data-key="${sessionUid} ${at}">
<h3>${REASONS[reason]}${by !== undefined && ` at ${by}`}</h3>
<p class="hint">${clockTime(at)} · ${scope === 'session' ? 'the whole session' : 'this login only'} · <code>${short(sessionUid)}</code></p>
${
  relyingParties.length > 0
    ? html`<ul>${relyingParties.map((entry) => told(entry, places))}</ul>`
    : html`<p class="hint">No RP had to be told.</p>`
}
${timeToLogoutMs !== undefined && html`<p class="total">Everybody was told within <b>${span(timeToLogoutMs)}</b></p>`}
</article>`
}

function told(entry: ReceiptEntry, places: readonly Place[]): Html {
  const { clientId, state } = entry
  return html`<li class="told"><span class="rp" data-app="${clientId}">${places.find(({ id }) => id === clientId)?.name ?? clientId}</span>
<span class="state" data-state="${state}">${state}</span> <span class="hint">${progress(entry)}</span></li>`
}

function progress({ state, attempts, status, failureReason, nextAttemptAt, timeToLogoutMs }: ReceiptEntry): Html {
  const tries = attempts === 1 ? '1 attempt' : `${attempts} attempts`
  switch (state) {
    case 'confirmed':
      return html`HTTP ${status} after ${tries}, ${span(timeToLogoutMs ?? 0)}`
    case 'pending':
      if (attempts === 0) return html`being told`
      return html`${tries}, last: ${failureReason}. Next ${nextAttemptAt !== undefined && countdown(nextAttemptAt)}`
    case 'rejected':
      return html`HTTP ${status} after ${tries}: ${failureReason}`
    case 'abandoned':
    case 'superseded':
      return html`${tries}: ${Object.entries(GIVEN_UP).find(([code]) => code === failureReason)?.[1] ?? failureReason}`
  }
}

const NO_COMMITS = html`<tr><td colspan="3"><p class="empty">Empty: nobody has been here yet.</p></td></tr>`

function commitRow({ position, at, events }: Commit): Html {
  return html`<tr data-key="${position}"><td>${position}</td><td>${clockTime(at)}</td><td><ul>${events.map(eventItem)}</ul></td></tr>`
}

function eventItem(event: Event): Html {
  const { kind, id } = streamParts(event.stream)
  const type = event.type.startsWith(`${kind}.`) ? event.type.slice(kind.length + 1) : event.type
  return html`<li data-kind="${kind}"><span class="what"><span class="kind">${kind}</span> ${type.replace(/^back_channel\./, '')}</span>
<code title="${event.stream}">${short(id)}</code> <span class="hint">${detail(event)}</span></li>`
}

/** What is in the clear in a fact about a logout. Everything that the provider stores is sealed. */
function detail({ type, data }: Event): string {
  if (!type.startsWith('session_logout.')) return ''
  const attempt = data['attempt'] ?? data['attempts']
  return [
    data['client_id'],
    data['reason'],
    attempt !== undefined && `attempt ${attempt}`,
    data['status'] !== undefined && `HTTP ${data['status']}`,
    data['error'] ?? data['failure_reason'] ?? data['superseded_by'],
  ]
    .filter((part) => typeof part === 'string')
    .join(' · ')
}

function streamParts(stream: string): { readonly kind: string; readonly id: string } {
  const colon = stream.indexOf(':')
  return { kind: stream.slice(0, colon), id: stream.slice(colon + 1) }
}

/** Streams are named by hashes: the first letters tell them apart. */
function short(id: string): string {
  return id.length > 9 ? `${id.slice(0, 8)}…` : id
}
