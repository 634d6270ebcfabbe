import { clockTime } from '../pages/clock-time.ts'
import { type Html, html } from '../pages/html.ts'
import type { Place, RpId } from '../settings.ts'
import type { Ended, Login, RpSession } from './sessions.ts'

export function rpPage(rp: Place<RpId>, other: Place | undefined, session: RpSession, down: boolean): Html {
  const { login, ended } = session
  return html`<section class="card hero" id="you" data-live aria-live="polite">${
    login ? loggedIn(login, other) : loggedOut(rp, ended)
  }</section>
<section class="card aside" aria-labelledby="endpoint-title">
<h2 id="endpoint-title">Back-channel endpoint</h2>
<p>The OP posts logout tokens to <code>/backchannel-logout</code>, server to server. ${
    down
      ? html`Now <b class="state" data-state="rejected">nobody answers</b> there.`
      : html`It <b class="state" data-state="confirmed">answers</b>.`
  }</p>
<form method="post" action="/outage"><button name="down" value="${down ? 'no' : 'yes'}">${down ? 'Bring it back' : 'Play dead'}</button></form>
<p class="hint">${
    down
      ? 'Logouts stay pending at the OP, which tries again and again. They arrive once it is back.'
      : 'While it plays dead, the OP tries again and again: see its page.'
  }</p>
</section>`
}

function loggedIn({ name, since, sid }: Login, other: Place | undefined): Html {
  return html`<p class="person"><span class="avatar big" aria-hidden="true">${name.charAt(0).toUpperCase()}</span></p>
<h1>Hello, ${name}</h1>
<p>Logged in here since ${clockTime(since)}. <span class="hint">The OP calls this login <code>${sid.slice(0, 8)}…</code></span></p>
<form method="post" action="/logout"><button>Log out</button></form>
${other && html`<p class="hint">Log in at <a data-app="${other.id}" href="${other.origin}/">${other.name}</a> as well, then log out at one of them.</p>`}`
}

function loggedOut(rp: Place<RpId>, ended: Ended | undefined): Html {
  return html`${ended && why(ended)}
<h1>${ended ? 'You are logged out' : `Welcome to ${rp.name}`}</h1>
<p>${ended ? 'This session is over.' : 'Nobody is logged in here in this browser.'}</p>
<p><a class="button primary" href="/login">Log in</a></p>`
}

function why({ by, at, name }: Ended): Html {
  return by === 'op'
    ? html`<p class="notice" data-by="op">${name}, you were logged out by the OP at ${clockTime(at)} (back-channel).</p>`
    : html`<p class="notice" data-by="user">${name}, you logged out here at ${clockTime(at)}.</p>`
}
