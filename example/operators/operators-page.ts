import { REASONS } from '../op/reasons.ts'
import { type Html, html } from '../pages/html.ts'

const VIEWS = [
  ['sessions', 'Sessions'],
  ['logouts', 'Logouts'],
  ['dead-letters', 'Dead letters'],
  ['terminations', 'Terminations'],
  ['features', 'Features'],
] as const

/** What does not change of the operators' page. The rest is filled in by `assets/operators.js`. */
export function operatorsPage(operator: string): Html {
  return html`<div class="operators-head">
<h1>Operators</h1>
<form method="post" action="/operators/sign-out" class="inline signed-in"><span>Signed in as <b>${operator}</b></span> <button>Sign out</button></form>
</div>
<nav aria-label="Operators" class="views">${VIEWS.map(([id, name]) => html`<a href="#${id}">${name}</a>`)}<span class="connection" aria-hidden="true"></span></nav>
<p id="status" role="status"></p>
<noscript><p class="notice">This page needs JavaScript.</p></noscript>
${sessions()}${logouts()}${deadLetters()}${terminations()}${features()}
<dialog id="confirm" aria-labelledby="confirm-title" aria-describedby="confirm-what">
<form method="dialog">
<h2 id="confirm-title"></h2>
<p id="confirm-what" aria-live="polite"></p>
<p class="field" id="confirm-why"><label for="confirm-reason">Why</label><select id="confirm-reason"></select></p>
<p class="hint">It is recorded in the name of ${operator}.</p>
<div class="choices"><button value="yes" class="danger" id="confirm-yes"></button><button value="no" autofocus>Cancel</button></div>
</form>
</dialog>
<datalist id="reasons">${Object.entries(REASONS).map(([code, words]) => html`<option value="${code}">${words}</option>`)}</datalist>`
}

function sessions(): Html {
  return view(
    'sessions',
    html`<form class="filters" role="search">
${field('sessions-account', 'Account', html`<input id="sessions-account" name="account" required autocomplete="off" autocapitalize="none" spellcheck="false">`)}
<button class="primary">Show its sessions</button>
</form>`,
  )
}

function logouts(): Html {
  const states = ['pending', 'confirmed', 'rejected', 'abandoned', 'superseded']
  return view(
    'logouts',
    html`<form class="filters" role="search">
${field('logouts-account', 'Account', html`<input id="logouts-account" name="account" autocomplete="off" autocapitalize="none" spellcheck="false">`)}
${field('logouts-client', 'RP', html`<input id="logouts-client" name="client" placeholder="client id" autocomplete="off" autocapitalize="none" spellcheck="false">`)}
${field('logouts-state', 'With an RP that is', html`<select id="logouts-state" name="state"><option value="">in any state</option>${states.map((state) => html`<option>${state}</option>`)}</select>`)}
<button>Show</button>
</form>`,
  )
}

function deadLetters(): Html {
  return view(
    'dead-letters',
    html`<p class="hint">Logouts that an RP was not told, and that nobody tries to tell it any more. What is replayed is sent with a fresh token, and with all its attempts.</p>
<form class="filters" role="search">
${field('letters-client', 'RP', html`<input id="letters-client" name="client" placeholder="client id" autocomplete="off" autocapitalize="none" spellcheck="false">`)}
${field('letters-since', 'Dead since', html`<input id="letters-since" name="since" type="datetime-local">`)}
<button>Show</button>
</form>`,
  )
}

function terminations(): Html {
  return view(
    'terminations',
    html`<p class="hint">Ends of many sessions by one order. They go on whatever becomes of the process that was asked.</p>
<form class="filters">
${field('order-client', 'Every login at an RP', html`<input id="order-client" name="client" required placeholder="client id" autocomplete="off" autocapitalize="none" spellcheck="false">`)}
<button>End them</button>
</form>
<p><button class="danger" id="order-all">End all sessions of everybody</button></p>`,
  )
}

function features(): Html {
  return view(
    'features',
    html`<p class="hint">What is set for this issuer holds, else what is set for the system, else the configuration. It holds here at once, in all other processes within about two seconds.</p>`,
  )
}

function view(id: (typeof VIEWS)[number][0], head: Html): Html {
  const name = VIEWS.find(([known]) => known === id)?.[1]
  return html`<section id="${id}" class="view" aria-labelledby="${id}-title" hidden>
<h2 id="${id}-title" tabindex="-1">${name}</h2>
${head}
<div class="found"></div>
</section>`
}

function field(id: string, label: string, control: Html): Html {
  return html`<p class="field"><label for="${id}">${label}</label>${control}</p>`
}
