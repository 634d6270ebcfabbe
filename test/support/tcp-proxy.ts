import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { Document } from 'mongodb'
import { Gate } from './gate.ts'
import { bodyOf } from './mongo-message.ts'
import { isHousekeeping, PlannedFault, type Which } from './planned-fault.ts'
import { type Direction, type Faults, ProxiedConnection, type Script, type Verdict } from './proxied-connection.ts'
import { seededRandom } from './seeded-random.ts'

export interface Target {
  readonly host?: string
  readonly port: number
}

export interface Chaos {
  readonly seed: number
  /** Probability that a request is cut before it reaches the server. */
  readonly cutBefore?: number
  /** Probability that a request is cut after the server has answered it. */
  readonly cutAfter?: number
  /** When a request may be cut: any time, only before the server sees it, or never. Default: any time. */
  readonly mayCut?: (request: Document) => 'any time' | 'before' | 'never'
  /** Each message waits a random time up to this. */
  readonly delayMs?: number
}

/** A request that the proxy holds back. */
export interface Held {
  /** Resolves when the request has arrived. */
  readonly arrived: Promise<void>
  /** Lets it go on to the server. */
  release(): void
}

const DIRECTIONS: readonly Direction[] = ['request', 'reply']
const PASS: Verdict = { kind: 'pass' }

/**
 * A TCP proxy in front of a MongoDB server that makes the network fail at the moment a test chooses. It reads enough of
 * the protocol to know requests from replies and commands by name; it does not know TLS or compression.
 */
export class TcpProxy implements Faults {
  readonly #listener: Server
  readonly #target: Required<Target>
  readonly #connections = new Set<ProxiedConnection>()
  readonly #planned: { readonly fault: PlannedFault; readonly verdict: () => Verdict }[] = []
  readonly #watched: { readonly command: string; readonly resolve: () => void }[] = []
  readonly #gates: Readonly<Record<Direction, Gate>> = { request: new Gate(), reply: new Gate() }
  readonly #delays: Record<Direction, number> = { request: 0, reply: 0 }
  #chaos: { readonly options: Chaos; readonly cuts: () => number; readonly delays: () => number } | undefined
  #refusing = false
  #cuts = 0

  static async start(target: number | Target): Promise<TcpProxy> {
    const proxy = new TcpProxy(typeof target === 'number' ? { port: target } : target)
    proxy.#listener.listen(0, '127.0.0.1')
    await once(proxy.#listener, 'listening')
    return proxy
  }

  private constructor(target: Target) {
    this.#target = { host: '127.0.0.1', ...target }
    this.#listener = createServer((client) => {
      if (this.#refusing) {
        client.resetAndDestroy()
        return
      }
      const connection = new ProxiedConnection(client, this.#target, this)
      this.#connections.add(connection)
      void connection.closed.then(() => this.#connections.delete(connection))
    })
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  /** The URI of a server, led through this proxy: a direct connection, since a replica set names its members itself. */
  uri(serverUri = 'mongodb://127.0.0.1/'): string {
    const parts = /^mongodb:\/\/(?<login>[^@/]*@)?[^/?]+(?<path>\/[^?]*)?(?:\?(?<query>.*))?$/.exec(serverUri)?.groups
    if (!parts) throw new Error('the proxy takes URIs that begin with mongodb://')
    const query = new URLSearchParams(parts.query ?? '')
    query.delete('replicaSet')
    query.set('directConnection', 'true')
    return `mongodb://${parts.login ?? ''}127.0.0.1:${this.port}${parts.path ?? '/'}?${query}`
  }

  /** Connections that are open at this moment. */
  get connections(): number {
    return this.#connections.size
  }

  /** How many requests the random faults have cut. */
  get cuts(): number {
    return this.#cuts
  }

  /** Each message waits this long, in one direction or in both. 0 ends it. */
  delay(delayMs: number, direction?: Direction): void {
    for (const each of direction ? [direction] : DIRECTIONS) this.#delays[each] = delayMs
  }

  /** Cuts the connection in place of forwarding the next request: the server never sees it. */
  dropBefore(which?: Which): PlannedFault {
    return this.#plan(new PlannedFault(which), 'before')
  }

  /** Forwards the next request and cuts the connection in place of returning the reply: the acknowledgement is lost. */
  cutAfter(which?: Which): PlannedFault {
    return this.#plan(new PlannedFault(which), 'after')
  }

  /**
   * Lets the connection that carries the next such request go silent, as one whose state a firewall has lost: nothing
   * passes in either direction from then on, and nothing is closed. Others are well.
   *
   * @param when - whether the server never sees the request, or carries it out
   */
  silence(which: Which, when: 'before' | 'after'): PlannedFault {
    const fault = new PlannedFault(which)
    this.#planned.push({ fault, verdict: () => ({ kind: 'silence', when, done: () => fault.met() }) })
    return fault
  }

  /**
   * Answers the next such request in the server's place: a script for the server.
   *
   * @param when - whether the server never sees the request, or carries it out first
   */
  answer(which: Which, when: 'before' | 'after', script: Script): PlannedFault {
    const fault = new PlannedFault(which)
    this.#planned.push({ fault, verdict: () => ({ kind: 'answer', when, script, done: () => fault.met() }) })
    return fault
  }

  /** Holds the next such request back, and with it what follows on its connection; everything else passes. */
  hold(which?: Which): Held {
    const fault = new PlannedFault(which)
    const gate = new Gate()
    gate.shut()
    const verdict = (): Verdict => {
      fault.met()
      return { kind: 'hold', until: gate.pass() }
    }
    this.#planned.push({ fault, verdict })
    return { arrived: fault.happened, release: () => gate.open() }
  }

  /** Resolves when the next request with this command arrives at the proxy, whatever then happens to it. */
  arrival(command: string): Promise<void> {
    return new Promise((resolve) => this.#watched.push({ command, resolve }))
  }

  /** Forwards nothing, and keeps the connections open. */
  stall(direction?: Direction): void {
    for (const each of direction ? [direction] : DIRECTIONS) this.#gates[each].shut()
  }

  /** Ends a stall; what was held back goes on in its order. */
  resume(): void {
    for (const each of DIRECTIONS) this.#gates[each].open()
  }

  /** Resets every new connection. Those that are open stay; `cutAll()` ends them. */
  refuse(): void {
    this.#refusing = true
  }

  accept(): void {
    this.#refusing = false
  }

  cutAll(): void {
    for (const connection of this.#connections) connection.cut()
  }

  /** Random faults, the same sequence for the same seed and the same order of requests. Housekeeping is left alone. */
  chaos(options: Chaos): void {
    // Of their own, so that the replies' order does not change which requests are cut.
    this.#chaos = { options, cuts: seededRandom(options.seed), delays: seededRandom(options.seed + 1) }
  }

  /** Ends the random faults. */
  calm(): void {
    this.#chaos = undefined
  }

  /** Cuts everything, and resolves when nothing of it is left. */
  async stop(): Promise<void> {
    this.refuse()
    const closed = this.#listener.listening ? once(this.#listener, 'close') : undefined
    this.#listener.close()
    this.cutAll()
    await Promise.all([closed, ...[...this.#connections].map((connection) => connection.closed)])
  }

  #plan(fault: PlannedFault, when: 'before' | 'after'): PlannedFault {
    this.#planned.push({ fault, verdict: () => ({ kind: 'cut', when, done: () => fault.met() }) })
    return fault
  }

  /** @internal for connections */
  arrived(command: string | undefined): void {
    for (const watch of this.#watched.filter((each) => each.command === command)) {
      this.#watched.splice(this.#watched.indexOf(watch), 1)
      watch.resolve()
    }
  }

  /** @internal for connections */
  classifyResponse(command: string | undefined, message: Buffer): Verdict {
    const request = (): Document | undefined => bodyOf(message)
    const planned = this.#planned.find(({ fault }) => fault.claims(command, request))
    if (planned) return planned.verdict()
    if (!this.#chaos || isHousekeeping(command)) return PASS
    const { cutBefore = 0, cutAfter = 0, mayCut } = this.#chaos.options
    const drawn = this.#chaos.cuts()
    if (drawn >= cutBefore + cutAfter) return PASS
    const may = mayCut?.(request() ?? {}) ?? 'any time'
    if (may === 'never') return PASS
    const when = drawn < cutBefore || may === 'before' ? 'before' : 'after'
    return { kind: 'cut', when, done: () => this.#cuts++ }
  }

  /** @internal for connections */
  delayMs(direction: Direction): number {
    const random = this.#chaos?.options.delayMs ? this.#chaos.delays() * this.#chaos.options.delayMs : 0
    return this.#delays[direction] + random
  }

  /** @internal for connections */
  pass(direction: Direction): Promise<void> {
    return this.#gates[direction].pass()
  }
}
