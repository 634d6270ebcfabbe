/**
 * As much of MongoDB's wire protocol as it takes to tell one message from the next, a reply's request, and what a
 * request asks for. https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
 */
const HEADER_LENGTH = 16
const OP_QUERY = 2004
const OP_MSG = 2013

/** Cuts a stream of bytes into whole messages, however the network has cut it. */
export class MessageSplitter {
  /** What has come of a message that is not whole, and how much that is. */
  #parts: Buffer[] = []
  #length = 0

  push(chunk: Buffer): Buffer[] {
    this.#parts.push(chunk)
    this.#length += chunk.length
    const messages: Buffer[] = []
    for (let wanted = this.#wanted(); this.#length >= wanted; wanted = this.#wanted()) {
      const rest = this.#joined()
      messages.push(rest.subarray(0, wanted))
      this.#parts = [rest.subarray(wanted)]
      this.#length -= wanted
    }
    return messages
  }

  /** How long the next message says that it is. Infinity: its length has not come yet. */
  #wanted(): number {
    if (this.#length < 4) return Infinity
    const length = ((this.#parts[0]?.length ?? 0) < 4 ? this.#joined() : (this.#parts[0] as Buffer)).readInt32LE(0)
    if (length < HEADER_LENGTH) throw new Error(`not a MongoDB message: it claims a length of ${length}`)
    return length
  }

  /** Joined once for each message: one of megabytes comes in hundreds of parts. */
  #joined(): Buffer {
    const [first = Buffer.alloc(0), ...others] = this.#parts
    const joined = others.length === 0 ? first : Buffer.concat(this.#parts)
    this.#parts = [joined]
    return joined
  }
}

export function requestId(message: Buffer): number {
  return message.readInt32LE(4)
}

/** Of a reply: the id of the request that it answers. */
export function responseTo(message: Buffer): number {
  return message.readInt32LE(8)
}

/** The command that a request names, such as `insert`. Undefined where the message is compressed or of another kind. */
export function commandName(message: Buffer): string | undefined {
  const opCode = message.readInt32LE(12)
  if (opCode === OP_MSG) return commandOfMsg(message)
  if (opCode === OP_QUERY) return commandOfQuery(message)
  return undefined
}

/** Flags, then sections: kind 0 is the command's document, kind 1 a sequence of documents that says how long it is. */
function commandOfMsg(message: Buffer): string | undefined {
  let at = HEADER_LENGTH + 4
  while (at + 5 < message.length) {
    const kind = message[at]
    if (kind === 0) return firstKey(message, at + 1)
    if (kind !== 1) return undefined
    at += 1 + message.readInt32LE(at + 1)
  }
  return undefined
}

/** A driver's very first hello: flags, the collection's name, two numbers, the document. */
function commandOfQuery(message: Buffer): string | undefined {
  const endOfName = message.indexOf(0, HEADER_LENGTH + 4)
  return endOfName < 0 ? undefined : firstKey(message, endOfName + 1 + 8)
}

/** A BSON document begins with its length and the type of its first element; then that element's name. */
function firstKey(message: Buffer, document: number): string | undefined {
  const name = document + 5
  const end = message.indexOf(0, name)
  return end < 0 ? undefined : message.toString('utf8', name, end)
}
