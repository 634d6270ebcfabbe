/** The life of a process that a test ends between any two things that it does to the world around it. */
export class Life {
  #steps = Number.POSITIVE_INFINITY

  get isOver(): boolean {
    return this.#steps <= 0
  }

  /**
   * From now on it takes so many steps. Each thing that it does has two: doing it, and learning what came of it.
   * Afterwards it does nothing any more, and hears nothing.
   */
  endIn(steps: number): void {
    this.#steps = Math.min(this.#steps, steps)
  }

  /** It lives on after all, if it still lives. */
  spare(): void {
    if (!this.isOver) this.#steps = Number.POSITIVE_INFINITY
  }

  async act<T>(deed: () => Promise<T>): Promise<T> {
    if (!this.#step()) return never()
    const outcome = deed()
    await outcome.catch(() => {}) // the process hears of it below, if it still lives
    return this.#step() ? outcome : never()
  }

  /** The thing as this process reaches it: each call of a method is an act. What the methods of `made` return is reached so, too. */
  reaching<T extends object>(thing: T, made: readonly string[] = []): T {
    return new Proxy(thing, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        if (made.includes(String(name))) return (...args: unknown[]) => this.reaching(value.apply(target, args))
        return (...args: unknown[]) => this.act(() => value.apply(target, args))
      },
    })
  }

  #step(): boolean {
    if (this.isOver) return false
    this.#steps -= 1
    return true
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {})
}
