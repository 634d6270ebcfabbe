import { DATA_HEADERS } from '../../../lib/web/page-headers.ts'

/** So many chunks, and bytes, may wait for a browser that does not read: then it is let go, and connects again. */
const MOST_WAITING = 64
const MOST_BYTES = 524_288

/** Server-sent events to one browser (HTML, section 9.2). */
export class EventStream {
  readonly response: Response
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  readonly #encoder = new TextEncoder()
  readonly #onEnd: () => void

  /** @param onEnd - called once, whoever ends it */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        cancel: () => this.#over(),
      },
      {
        highWaterMark: MOST_BYTES,
        size: (chunk) => Math.max(chunk?.byteLength ?? 0, MOST_BYTES / MOST_WAITING),
      },
    )
    this.response = new Response(body, {
      headers: { ...DATA_HEADERS, 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' },
    })
  }

  send(event: string, data: object): void {
    this.#write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  /** So long the browser waits before it connects again, in milliseconds. */
  retryAfter(ms: number): void {
    this.#write(`retry: ${ms}\n\n`)
  }

  /** Shows that the stream lives. */
  beat(): void {
    this.#write(':\n\n')
  }

  end(): void {
    const controller = this.#controller
    this.#over()
    try {
      controller?.close()
    } catch {
      // The browser has gone already.
    }
  }

  #write(text: string): void {
    if (!this.#controller) return
    if ((this.#controller.desiredSize ?? 0) > 0) this.#controller.enqueue(this.#encoder.encode(text))
    else this.end()
  }

  #over(): void {
    if (!this.#controller) return
    this.#controller = undefined
    this.#onEnd()
  }
}
