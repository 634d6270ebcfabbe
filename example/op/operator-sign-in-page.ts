import { type Html, html } from '../pages/html.ts'

export function operatorSignInPage(refused: boolean): Html {
  return html`<section class="card narrow">
<h1>Operators</h1>
<p>The process printed a password when it started.</p>
<form method="post" action="/operators/sign-in" class="sign-in">
${refused && html`<p class="refused" role="alert">That was not the password, or not a name (letters, digits, spaces, dots and dashes; 40 at most).</p>`}
<label for="name">Your name, for the log</label>
<input id="name" name="name" required maxlength="40" autocomplete="nickname">
<label for="password">Password</label>
<input id="password" name="password" type="password" required autocomplete="current-password">
<label class="check"><input name="looks" type="checkbox" value="yes"> I only want to look</label>
<button class="primary">Sign in</button>
</form>
<p class="hint">This way in is the example’s. An application puts its own login and its own roles in this place: the console asks it who you are, at every request.</p>
</section>`
}
