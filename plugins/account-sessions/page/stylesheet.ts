/** Small, and after the browser's own wishes: light or dark, a desk or a phone. `as-body` is the plain layout's alone. */
export const STYLESHEET = `:root {
  --as-text: #1c1c22; --as-soft: #55555f; --as-line: #d4d4dc; --as-back: #fff; --as-card: #f7f7fa;
  --as-accent: #1d4ed8; --as-on-accent: #fff; --as-danger: #b3261e; --as-good: #eaf3ec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --as-text: #ececf1; --as-soft: #b4b4c0; --as-line: #44444f; --as-back: #17171c; --as-card: #202027;
    --as-accent: #93b4ff; --as-on-accent: #10131c; --as-danger: #ffb4ab; --as-good: #1d2b22;
  }
}
.as-body { margin: 0; background: var(--as-back); font: 1rem/1.5 system-ui, sans-serif; }
.as-body main { max-width: 44rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
.as-page { color: var(--as-text); overflow-wrap: anywhere; }
.as-page h1 { font-size: 1.6rem; line-height: 1.25; }
.as-page h2 { font-size: 1.2rem; margin: 0 0 .25rem; }
.as-page h3 { font-size: 1rem; margin: 0 0 .25rem; }
.as-page p { margin: 0 0 .25rem; }
.as-page a { color: var(--as-accent); }
.as-section { margin-top: 2.5rem; }
.as-hint { color: var(--as-soft); font-size: .9rem; }
.as-list { list-style: none; margin: 1rem 0; padding: 0; display: grid; gap: .75rem; }
.as-card {
  display: flex; gap: 1rem; justify-content: space-between; align-items: start;
  padding: 1rem; border: 1px solid var(--as-line); border-radius: .6rem; background: var(--as-card);
}
.as-card > div { min-width: 0; flex: 1; }
.as-card form { flex: none; }
.as-may { list-style: disc; margin: .25rem 0 .5rem; padding-left: 1.2rem; }
.as-badge {
  display: inline-block; margin-left: .35rem; padding: 0 .5rem; border: 1px solid currentColor; border-radius: 1rem;
  font-size: .8rem; font-weight: 600; color: var(--as-accent);
}
.as-page button, .as-page .as-button {
  display: inline-block; font: inherit; font-weight: 600; padding: .4rem .9rem; border-radius: .5rem; cursor: pointer;
  text-decoration: none;
}
.as-page button { color: var(--as-danger); background: none; border: 1px solid currentColor; }
.as-page .as-button { color: var(--as-on-accent); background: var(--as-accent); border: 1px solid var(--as-accent); }
.as-page :focus-visible { outline: 3px solid var(--as-accent); outline-offset: 2px; }
.as-all { display: grid; gap: .35rem; justify-items: start; }
.as-notice { margin: 1.25rem 0; padding: 1rem; border: 1px solid var(--as-line); border-radius: .6rem; background: var(--as-card); }
.as-ended { background: var(--as-good); }
@media (max-width: 34rem) {
  .as-card { flex-direction: column; }
}
`
