import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Document } from 'mongodb'
import { bodyOf, replyMessage } from './mongo-message.ts'
import { commandName, MessageSplitter, requestId, responseTo } from './mongo-wire.ts'

export type Direction = 'request' | 'reply'

/** What is to happen to one request. */
export type Verdict =
  | { readonly kind: 'pass' }
  | { readonly kind: 'hold'; readonly until: Promise<void> }
  /** Before it reaches the server, or after the server has answered it and before the answer returns. */
  | { readonly kind: 'cut'; readonly when: 'before' | 'after'; readonly done: () => void }
  /** Before it reaches the server, or after: from then on nothing passes in either direction, and nothing is closed. */
  | { readonly kind: 'silence'; readonly when: 'before' | 'after'; readonly done: () => void }
  /** Another answer than the server's, which may or may not have seen the request. */
  | { readonly kind: 'answer'; readonly when: 'before' | 'after'; readonly script: Script; readonly done: () => void }

/** Writes an answer: to this request, which the server answered so (an empty document when it never saw it). */
export type Script = (request: Document, reply: Document) => Document

/** What a connection asks of the proxy that it belongs to. */
export interface Faults {
  /** A request has arrived at the proxy. */
  arrived(command: string | undefined): void
  classifyResponse(command: string | undefined, message: Buffer): Verdict
  delayMs(direction: Direction): number
  /** Resolves when nothing holds this direction back. */
  pass(direction: Direction): Promise<void>
}

/**
 * One client's connection through the proxy. Messages keep their order, and each direction waits on its own. A request
 * that is on its way still arrives when its client has given up meanwhile, as on a real network.
 */
export class ProxiedConnection {
  /** Resolves when both sides are closed. */
  readonly closed: Promise<void>
  readonly #client: Socket
  readonly #server: Socket
  readonly #faults: Faults
  /** By the id of the request that went through: what to do instead of returning its reply. */
  readonly #insteadOfReply = new Map<number, (reply: Buffer) => void>()
  #isSilent = false

  constructor(client: Socket, target: { readonly host: string; readonly port: number }, faults: Faults) {
    this.#client = client.setNoDelay(true)
    this.#server = connect({ ...target, noDelay: true })
    this.#faults = faults
    const closing = [this.#client, this.#server].map(
      (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())),
    )
    this.closed = Promise.all(closing).then(() => {})
    this.#pump(this.#client, this.#server, 'request', (message) => this.#request(message))
    this.#pump(this.#server, this.#client, 'reply', (message) => this.#reply(message))
  }

  /** Resets both sides: whoever waits for an answer learns at once that none will come. */
  cut(): void {
    for (const socket of [this.#client, this.#server]) {
      // One that is ending cannot be reset any more: the attempt fails, and the connection stays open for ever.
      if (socket.connecting || socket.writableEnded) socket.destroy()
      else socket.resetAndDestroy()
    }
  }

  async #request(message: Buffer): Promise<void> {
    const verdict = this.#faults.classifyResponse(commandName(message), message)
    if (verdict.kind === 'hold') await verdict.until
    if (this.#isSilent) return
    if (verdict.kind === 'silence') {
      this.#isSilent = true
      if (verdict.when === 'after') this.#server.write(message)
      verdict.done()
      return
    }
    if (verdict.kind === 'cut') {
      if (verdict.when === 'before') {
        this.cut()
        verdict.done()
        return
      }
      this.#insteadOfReply.set(requestId(message), () => {
        this.cut()
        verdict.done()
      })
    }
    if (verdict.kind === 'answer') {
      const answer = (reply: Buffer | undefined): void => {
        const body = verdict.script(bodyOf(message) ?? {}, (reply && bodyOf(reply)) ?? {})
        if (!this.#client.destroyed) this.#client.write(replyMessage(requestId(message), body))
        verdict.done()
      }
      if (verdict.when === 'before') return answer(undefined)
      this.#insteadOfReply.set(requestId(message), answer)
    }
    if (!this.#server.destroyed) this.#server.write(message)
  }

  async #reply(message: Buffer): Promise<void> {
    const instead = this.#insteadOfReply.get(responseTo(message))
    this.#insteadOfReply.delete(responseTo(message))
    if (this.#isSilent) return
    if (instead) instead(message)
    else if (!this.#client.destroyed) this.#client.write(message)
  }

  #pump(from: Socket, to: Socket, direction: Direction, deliver: (message: Buffer) => Promise<void>): void {
    const splitter = new MessageSplitter()
    let previous = Promise.resolve()
    const inOrder = (step: () => Promise<void> | void): void => {
      // A message that is no MongoDB message, or a step that fails otherwise, must not hang the client.
      previous = previous.then(step).catch(() => this.cut())
    }
    from.on('data', (chunk: Buffer) => {
      for (const message of splitter.push(chunk)) {
        if (direction === 'request') this.#faults.arrived(commandName(message))
        const due = performance.now() + this.#faults.delayMs(direction)
        inOrder(async () => {
          await this.#faults.pass(direction)
          const waitMs = due - performance.now()
          if (waitMs > 0) await sleep(waitMs)
          if (to.destroyed) return
          await deliver(message)
        })
      }
    })
    // 'close' follows every error.
    from.on('error', () => {})
    from.on('close', () =>
      inOrder(() => {
        if (this.#isSilent && from === this.#server) return // the client hears of nothing
        to.end()
        to.destroySoon()
      }),
    )
  }
}
