import { closeSync, openSync } from 'node:fs'
import type { EventStore } from '../../lib/index.ts'
import type { Network } from '../../plugins/back-channel-logout/index.ts'
import { eventNames } from './steered-store.ts'

/** Appending a commit that holds such an event (see `eventNames`), of this client where its data names one. */
interface Append {
  readonly append: string
  readonly clientId?: string
}

/** Putting deliveries into the work table. */
interface Plan {
  readonly plan: true
}

/** Posting a logout token to this URI. It is over when the RP has answered. */
interface Post {
  readonly post: string
}

/** A step of an OP's work, before or after which its process dies. */
export interface KillPoint {
  readonly when: 'before' | 'after'
  readonly step: Append | Plan | Post
  /**
   * A file that is not there yet: whoever comes to the point and can make it dies, and nobody else. Without one
   * everybody does who comes to the point.
   */
  readonly once?: string
}

/** Ends this process as the system would, in the middle of a statement: nothing of it runs any more. */
export function die(): never {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('SIGKILL did not end this process')
}

type Asks = (when: KillPoint['when'], step: (step: KillPoint['step']) => boolean) => void

/** Makes the store end the process when it comes to the point, which is asked for at each step. */
export function mortalStore<S extends EventStore>(store: S, point: () => KillPoint | undefined): S {
  const reach = reaching(point)
  const append = store.append.bind(store)
  store.append = async (commit) => {
    const names = eventNames(commit)
    const isIt = (step: KillPoint['step']): boolean =>
      'append' in step &&
      commit.events.some(
        ({ data }, index) =>
          names[index] === step.append && (step.clientId === undefined || data['client_id'] === step.clientId),
      )
    reach('before', isIt)
    const appended = await append(commit)
    reach('after', isIt)
    return appended
  }
  const deliveries = store.work('deliveries')
  const add = deliveries.add.bind(deliveries)
  deliveries.add = async (work) => {
    reach('before', (step) => 'plan' in step)
    await add(work)
    reach('after', (step) => 'plan' in step)
  }
  return store
}

/** A network of which the same is true, and which ends the process in the middle of a request when it is told to. */
export class MortalNetwork implements Network {
  readonly #network: Network
  readonly #reach: Asks
  readonly #posting: string[] = []

  constructor(network: Network, point: () => KillPoint | undefined) {
    this.#network = network
    this.#reach = reaching(point)
  }

  async post(...[url, form, options]: Parameters<Network['post']>): ReturnType<Network['post']> {
    const isIt = (step: KillPoint['step']): boolean => 'post' in step && step.post === url
    this.#reach('before', isIt)
    this.#posting.push(url)
    const answer = await this.#network.post(url, form, options)
    this.#reach('after', isIt)
    this.#posting.splice(this.#posting.indexOf(url), 1)
    return answer
  }

  /** Ends this process if it waits for an answer from there. */
  dieIfPosting(url: string): void {
    if (this.#posting.includes(url)) die()
  }

  close(): Promise<void> {
    return this.#network.close()
  }
}

function reaching(point: () => KillPoint | undefined): Asks {
  return (when, isIt) => {
    const armed = point()
    if (armed?.when === when && isIt(armed.step) && isFirst(armed)) die()
  }
}

function isFirst({ once }: KillPoint): boolean {
  if (once === undefined) return true
  try {
    closeSync(openSync(once, 'wx'))
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}
