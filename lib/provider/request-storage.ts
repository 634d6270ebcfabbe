import { AsyncLocalStorage } from 'node:async_hooks'

interface Frame {
  readonly owner: object
  readonly value: unknown
  readonly outer: Frame | undefined
}

/** One for all: each further `AsyncLocalStorage` costs every promise of the process a little (Node 22 and before). */
const frames = new AsyncLocalStorage<Frame>()

/** What a request runs in, for one of the many providers that a process may have. */
export class RequestStorage<T> {
  run<R>(value: T, work: () => R): R {
    return frames.run({ owner: this, value, outer: without(frames.getStore(), this) }, work)
  }

  getStore(): T | undefined {
    let frame = frames.getStore()
    while (frame && frame.owner !== this) frame = frame.outer
    return frame?.value as T | undefined
  }
}

/** Each owner is in the chain once: a context that leaks from request to request, by a socket, must not grow with them. */
function without(frame: Frame | undefined, owner: object): Frame | undefined {
  if (!frame || frame.owner === owner) return frame?.outer
  const outer = without(frame.outer, owner)
  return outer === frame.outer ? frame : { ...frame, outer }
}
