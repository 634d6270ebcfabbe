import type { BenchProcess } from '../bench-process.ts'
import type { Arrival } from '../rps/rp-process.ts'
import type { EndedSession } from './deliver-process.ts'

/** When logout tokens arrived at the RPs, for the first time each. */
export class Arrivals {
  readonly #at = new Map<string, number>()
  readonly #waiting = new Map<string, (at: number) => void>()

  /** @param rps - started with `tell` */
  constructor(rps: BenchProcess) {
    rps.onMessage((message) => this.#arrived(message as Arrival))
  }

  /**
   * How long after the session's end each of its RPs was told, in milliseconds, once all of them were.
   *
   * @param counts - which of its RPs count. Default: all
   */
  delaysMs({ accountId, clientIds, endedAt }: EndedSession, counts = (_clientId: string) => true): Promise<number[]> {
    const told = clientIds.filter(counts).map((clientId) => this.#take(`${accountId} ${clientId}`))
    return Promise.all(told.map(async (at) => (await at) - endedAt))
  }

  #arrived({ sub, aud, at }: Arrival): void {
    const key = `${sub} ${aud}`
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    if (waiting) waiting(at)
    else if (!this.#at.has(key)) this.#at.set(key, at)
  }

  #take(key: string): Promise<number> {
    const at = this.#at.get(key)
    this.#at.delete(key)
    return at === undefined ? new Promise((resolve) => this.#waiting.set(key, resolve)) : Promise.resolve(at)
  }
}
