import { LOOKED_AT, type ToldApps } from '../ends/told-apps.ts'
import type { App } from '../own/client-names.ts'
import { type AccountSessionsTexts, filled, SCOPES, TEXTS } from './texts.ts'

/** How the page is worded, as the application wants it. */
export interface WordingOptions {
  readonly texts?: Partial<AccountSessionsTexts>
  readonly scopes?: Readonly<Record<string, string>>
  readonly language?: string
}

/** One line for each list of apps that is not empty; `nobody` where all are, and `more` where not all was looked at. */
export type ToldLines = Readonly<
  Partial<Record<'told' | 'telling' | 'unreached' | 'spared' | 'untold' | 'nobody' | 'more', string>>
>

/** What the page says, in its language. */
export class Wording {
  readonly texts: AccountSessionsTexts
  readonly language: string
  readonly #scopes: Readonly<Record<string, string>>
  readonly #lists: Intl.ListFormat
  readonly #times: Intl.DateTimeFormat

  constructor({ texts = {}, scopes = {}, language = 'en' }: WordingOptions) {
    this.texts = { ...TEXTS, ...texts }
    this.language = language
    this.#scopes = { ...SCOPES, ...scopes }
    this.#lists = new Intl.ListFormat(language, { type: 'conjunction', style: 'narrow' })
    this.#times = new Intl.DateTimeFormat(language, {
      dateStyle: 'medium',
      timeStyle: 'short',
      timeZone: 'UTC',
    })
  }

  scope(scope: string): string {
    return Object.hasOwn(this.#scopes, scope) ? (this.#scopes[scope] ?? scope) : scope
  }

  list(items: readonly string[]): string {
    return this.#lists.format(items)
  }

  /** In UTC: where the user is only the browser knows. */
  time(at: number): string {
    return `${this.#times.format(at)} UTC`
  }

  told({ told, telling, unreached, spared, untold, settled, more }: ToldApps): ToldLines {
    const lines = Object.entries({ told, telling, unreached, spared, untold } satisfies Record<string, readonly App[]>)
    const worded = lines.flatMap(([kind, apps]): [string, string][] =>
      apps.length === 0
        ? []
        : [
            [
              kind,
              filled(this.texts[kind as keyof ToldLines & keyof AccountSessionsTexts], {
                apps: this.list(apps.map(({ name }) => name)),
              }),
            ],
          ],
    )
    if (worded.length === 0 && settled) return { nobody: this.texts.nobodyToTell }
    const rest = more ? { more: filled(this.texts.moreEnded, { count: String(LOOKED_AT) }) } : {}
    return { ...Object.fromEntries(worded), ...rest }
  }
}
