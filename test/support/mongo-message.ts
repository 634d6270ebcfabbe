import { BSON, type Document } from 'mongodb'

const HEADER_LENGTH = 16
const OP_REPLY = 1
const OP_MSG = 2013

/** Flags, a cursor, two numbers: what stands before the document of an OP_REPLY, which answers a driver's very first hello. */
const REPLY_HEAD_LENGTH = 20

/**
 * What a message says: a command with its sequences of documents put back where they belong, or a reply. Undefined for
 * messages of other kinds than OP_MSG and OP_REPLY.
 */
export function bodyOf(message: Buffer): Document | undefined {
  const opCode = message.readInt32LE(12)
  if (opCode === OP_REPLY) return documentAt(message, HEADER_LENGTH + REPLY_HEAD_LENGTH)
  if (opCode !== OP_MSG) return undefined
  const body: Document = {}
  for (let at = HEADER_LENGTH + 4; at + 5 < message.length; ) {
    const start = at + 1
    const size = message.readInt32LE(start)
    if (message[at] === 0) Object.assign(body, documentAt(message, start))
    else Object.assign(body, sequenceAt(message, start, size))
    at = start + size
  }
  return body
}

/** A reply of a server to the request with this id. */
export function replyMessage(requestId: number, body: Document): Buffer {
  const document = BSON.serialize(body)
  const head = Buffer.alloc(HEADER_LENGTH + 5)
  head.writeInt32LE(head.length + document.length, 0)
  head.writeInt32LE(requestId, 8)
  head.writeInt32LE(OP_MSG, 12)
  return Buffer.concat([head, document])
}

/** Kind 1: its size, its name, documents. */
function sequenceAt(message: Buffer, start: number, size: number): Document {
  const endOfName = message.indexOf(0, start + 4)
  const documents: Document[] = []
  for (let at = endOfName + 1; at < start + size; at += message.readInt32LE(at)) documents.push(documentAt(message, at))
  return { [message.toString('utf8', start + 4, endOfName)]: documents }
}

function documentAt(message: Buffer, at: number): Document {
  return BSON.deserialize(message.subarray(at, at + message.readInt32LE(at)), { promoteValues: true })
}
