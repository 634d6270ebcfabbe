import { clear, orSay } from './status.js'

/**
 * What a view shows of the server's answers. It is made anew when the answer is another one, and whoever stands in it
 * with the keyboard keeps the place.
 */
export class Found {
  #container
  #title
  #ask
  #show
  #shown
  #asking
  #again = false
  #failed = false

  /**
   * @param view - its section
   * @param ask - resolves with the server's answer; `undefined`: there is nothing to show
   * @param show - makes the elements, of text; those that can be focused have a `data-key` each
   */
  constructor(view, ask, show) {
    this.#container = view.querySelector('.found')
    this.#title = view.querySelector('h2')
    this.#ask = ask
    this.#show = show
  }

  /** Asks, one request at a time: of the changes meanwhile only the newest state counts. */
  refresh() {
    this.#again = true
    this.#asking ??= this.#refresh()
    return this.#asking
  }

  async #refresh() {
    try {
      while (this.#again) {
        this.#again = false
        const answered = await orSay(async () => ({ answer: await this.#ask() }))
        if (answered !== undefined) {
          if (this.#failed) clear()
          this.#replace(answered.answer)
        }
        this.#failed = answered === undefined // what was shown stays
      }
    } finally {
      this.#asking = undefined
    }
  }

  #replace(answer) {
    const text = JSON.stringify(answer)
    if (text === this.#shown) return
    this.#shown = text
    const { activeElement } = document
    const hadFocus = this.#container.contains(activeElement)
    const key = activeElement?.dataset.key
    this.#container.replaceChildren(...(answer === undefined ? [] : [this.#show(answer)].flat()))
    if (!hadFocus) return
    const same = key === undefined ? undefined : this.#container.querySelector(`[data-key="${CSS.escape(key)}"]`)
    ;(same ?? this.#title).focus()
  }
}
