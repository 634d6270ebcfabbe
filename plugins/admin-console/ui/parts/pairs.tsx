import { type ComponentChildren, Fragment } from 'preact'

/** What something is called, and what it is. Undefined: the row is left out. */
export type Pair = readonly [name: ComponentChildren, value: ComponentChildren]

/** Names and values, a row each. */
export function Pairs({ rows }: { readonly rows: readonly Pair[] }) {
  return (
    <dl class="pairs">
      {rows.map(
        ([name, value], index) =>
          value !== undefined && (
            <Fragment key={index}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </Fragment>
          ),
      )}
    </dl>
  )
}

/** What an RP has answered: somebody else's text. Undefined: nothing is known. */
export function answerText(answer: string | undefined): ComponentChildren {
  return answer === '' ? 'empty' : answer && <pre>{answer}</pre>
}
