/** Asked for by many at once, it is looked at once for all of them. */
export class Shared<T> {
  readonly #look: () => Promise<T>
  #looking: Promise<T> | undefined

  constructor(look: () => Promise<T>) {
    this.#look = look
  }

  look(): Promise<T> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }
}
