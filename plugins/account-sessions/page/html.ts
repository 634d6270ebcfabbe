/** HTML that is safe to send: made by `html`, which escapes all that it is given. */
export class Html {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/** What can stand in a template. Nothing is shown for `undefined` and `false`. */
export type Part = Html | string | number | undefined | false | readonly Part[]

/** A template whose values are escaped, unless they are HTML already. Attributes need their quotes. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.reduce((text, next, index) => `${text}${textOf(parts[index - 1])}${next}`))
}

function textOf(part: Part): string {
  if (part === undefined || part === false) return ''
  if (part instanceof Html) return part.toString()
  if (typeof part === 'object') return part.map(textOf).join('')
  return String(part).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
