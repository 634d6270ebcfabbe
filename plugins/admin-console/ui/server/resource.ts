import { type ReadonlySignal, type Signal, signal, useSignalEffect } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import type { LiveTopic } from '../../api/contract.ts'
import { after } from '../browser/clock.ts'
import { asFailure, type Failure, isAborted } from './failure.ts'
import { revisionOf } from './live.ts'
import { request } from './request.ts'

/** What changes is asked for again so often at most, in milliseconds, where nothing else is said. */
const REFRESH_MS = 2_000

/** What the server says under a URL. */
export interface Loaded<T> {
  /** The URL that `value` is of. */
  readonly url: string | undefined
  readonly value: T | undefined
  /** Why it could not be asked for last; `value` is what was there before. */
  readonly failure: Failure | undefined
  readonly isLoading: boolean
}

/**
 * Asks for a URL, and again when one of the topics has changed. What was there stays until there is something newer,
 * also when that could not be had.
 */
export function useResource<T>(
  url: string,
  topics: readonly (LiveTopic | 'log')[],
  refreshMs: number = REFRESH_MS,
): { readonly state: ReadonlySignal<Loaded<T>>; readonly reload: () => void } {
  const loader = useMemo(() => new Loader<T>(refreshMs), [refreshMs])
  useEffect(() => {
    void loader.open(url)
    return () => loader.close()
  }, [url, loader])
  useSignalEffect(() => {
    const revision = revisionOf(topics)
    if (loader.revision !== undefined && loader.revision !== revision) loader.refreshSoon()
    loader.revision = revision
  })
  return { state: loader.state, reload: () => void loader.reload() }
}

class Loader<T> {
  readonly state: Signal<Loaded<T>> = signal({ url: undefined, value: undefined, failure: undefined, isLoading: true })
  /** That of the topics when they were looked at last. */
  revision: number | undefined
  #url: string | undefined
  #abort = new AbortController()
  #callOff: (() => void) | undefined
  readonly #refreshMs: number

  constructor(refreshMs: number) {
    this.#refreshMs = refreshMs
  }

  async open(url: string): Promise<void> {
    this.#url = url
    await this.reload()
  }

  close(): void {
    this.#abort.abort()
    this.#callOff?.()
    this.#callOff = undefined
  }

  async reload(): Promise<void> {
    const url = this.#url
    if (url === undefined) return
    this.close()
    this.#abort = new AbortController()
    const { signal: aborted } = this.#abort
    this.state.value = { ...this.state.peek(), isLoading: true }
    try {
      const value = await request<T>(url, { signal: aborted })
      if (!aborted.aborted) this.state.value = { url, value, failure: undefined, isLoading: false }
    } catch (error) {
      if (aborted.aborted || isAborted(error)) return
      const { value, url: of } = this.state.peek()
      const kept = of === url ? value : undefined // of another filter: no answer to this question
      this.state.value = { url, value: kept, failure: asFailure(error), isLoading: false }
    }
  }

  /** Not while one question is open, and not more often than people can read. */
  refreshSoon(): void {
    if (this.#url === undefined || this.#callOff) return
    this.#callOff = after(this.#refreshMs, () => {
      this.#callOff = undefined
      if (this.state.peek().isLoading) this.refreshSoon()
      else void this.reload()
    })
  }
}
