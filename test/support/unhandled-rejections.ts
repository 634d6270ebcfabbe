/** A promise was rejected, and nobody handled it: Node would end the process of an application. */
class Unhandled extends Error {
  constructor(reason: unknown) {
    super(`a promise was rejected and nobody handled it: ${String(reason)}`)
    // Where it was noticed says nothing about where it came from.
    if (reason instanceof Error) this.stack = `${this.message}\n${reason.stack}`
  }
}

/** mocha hears of these and does nothing. What is thrown here is an uncaught exception: the test that runs fails at once. */
export function throwUnhandled(reason: unknown): never {
  throw new Unhandled(reason)
}
