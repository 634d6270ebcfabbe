import type { Socket } from 'node:net'

/** How long the head of an interim response may be, in bytes: as long as that of any other. */
const HEAD_BYTES = 16_384

/** A status line with any 1xx but 101, which no response follows. */
const INTERIM = /^HTTP\/1\.\d 1(?!01)\d\d[ \r]/
const STATUS_CHARS = 'HTTP/1.1 100 '.length
const END_OF_HEAD = '\r\n\r\n'
const NOTHING = Buffer.alloc(0)

/**
 * Has a connection's reader not see interim responses (1xx, RFC 9110 section 15.2): a client "can simply discard" a 100
 * that it did not ask for, which some servers and proxies send, and undici takes for a broken connection. One request at
 * a time is on a connection, so a response begins after each write.
 */
export function passOverInterim(socket: Socket): void {
  const { read, write } = socket
  /** What has come of a response whose beginning is not decided; undefined: it is not the beginning that is read. */
  let beginning: Buffer | undefined = NOTHING
  socket.write = ((...args: Parameters<Socket['write']>) => {
    beginning ??= NOTHING
    return write.apply(socket, args)
  }) as Socket['write']
  socket.read = (size) => {
    for (;;) {
      const chunk: Buffer | null = read.call(socket, size)
      if (beginning === undefined || chunk === null) return chunk
      const bytes = withoutInterim(Buffer.concat([beginning, chunk]))
      beginning = isDecided(bytes) ? undefined : bytes
      if (beginning === undefined) return bytes
    }
  }
}

/** The bytes less each interim response that they begin with, as far as its head is whole. */
function withoutInterim(bytes: Buffer): Buffer {
  let rest = bytes
  while (INTERIM.test(rest.toString('latin1', 0, STATUS_CHARS))) {
    const end = rest.indexOf(END_OF_HEAD)
    if (end < 0) return rest
    rest = rest.subarray(end + END_OF_HEAD.length)
  }
  return rest
}

/** Whether it is certain that the bytes begin with no interim response. */
function isDecided(bytes: Buffer): boolean {
  if (bytes.length >= HEAD_BYTES) return true
  return bytes.length >= STATUS_CHARS && !INTERIM.test(bytes.toString('latin1', 0, STATUS_CHARS))
}
