import type { ServerResponse } from 'node:http'
import type { Context } from 'koa'

/**
 * Tells open pages that something they show has changed, by server-sent events (HTML Living Standard, section 9.2). The
 * page then fetches itself again, so that each page is rendered in one place, with or without JavaScript.
 */
export class LiveUpdates {
  readonly #streams = new Map<ServerResponse, string>()

  /** Answers with a stream of the changes of one topic. */
  open(ctx: Context, topic: string): void {
    const { res } = ctx
    // Koa would log an error each time that a browser goes away from a stream that is its body.
    ctx.respond = false
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    res.write('retry: 1000\n\n')
    this.#streams.set(res, topic)
    res.on('close', () => this.#streams.delete(res))
  }

  changed(topic: string): void {
    for (const [stream, about] of this.#streams) if (about === topic) stream.write('event: changed\ndata:\n\n')
  }

  /** Ends all streams: a server that is to stop would wait for them. */
  close(): void {
    for (const stream of this.#streams.keys()) stream.end()
  }
}
