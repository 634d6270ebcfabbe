import { randomBytes } from 'node:crypto'
import type { Document } from 'mongodb'
import { ServerUnfitError } from '../../lib/errors.ts'
import type { Collections } from './collections.ts'
import { fastPathCommand } from './fast-path.ts'
import { type Answer, answerOf, codeOf, counterMoved, isPermanent, WriteError, writeErrorsOf } from './outcome.ts'
import { type AskWith, needing } from './rights.ts'
import { WRITE_CONCERN } from './settings.ts'

/** Wire version of MongoDB 8.0, the first to know `bulkWrite` over several collections. */
const BULK_WRITE_WIRE_VERSION = 25

/** What the server can do. */
export interface ServerCapabilities {
  readonly fastPath: boolean
  readonly changeStreams: boolean
  /** Whether the client tells when another server, or another process, has become the primary. */
  readonly knowsPrimary: boolean
}

/** A server as it introduces itself. */
export interface Server {
  readonly isRouter: boolean
  readonly hello: Document
}

export async function askServer(collections: Collections, ask: AskWith): Promise<Server> {
  const hello = await ask((signal) => collections.command({ hello: 1 }, { signal }))
  return { hello, isRouter: hello['msg'] === 'isdbgrid' }
}

/**
 * Shows, on a scratch collection, that the server does what the log's correctness stands on.
 *
 * @throws ServerUnfitError (`SERVER_UNFIT`), StoreRefusedError (`STORE_REFUSED`) that names a missing right
 */
export async function checkServer(
  collections: Collections,
  { hello, isRouter }: Server,
  ask: AskWith,
): Promise<ServerCapabilities> {
  const name = `scratch_${randomBytes(6).toString('hex')}`
  const scratch = new Scratch(collections, name, ask)
  try {
    await scratch.makeClaimsIndex()
    await scratch.insert([{ _id: 'a', k: ['one', 'two'] }, { _id: 'b' }])
    require('two documents without claims are refused: the unique index of claims holds for those without any', !(await scratch.isRefused(
      { _id: 'c' },
    )))
    require('a claim can be held twice: the unique index does not hold over arrays', await scratch.isRefused({
      _id: 'd',
      k: ['two', 'three'],
    }))
    require('an ordered bulk write goes on after an error', await scratch.stopsInOrder())
    await scratch.remove('b')
    const mayBeFast = Number(hello['maxWireVersion']) >= BULK_WRITE_WIRE_VERSION && !isRouter
    return {
      fastPath: mayBeFast && (await scratch.fastPathStops()),
      changeStreams: hello['setName'] !== undefined || (isRouter && hasOneHost(collections)),
      knowsPrimary: !isRouter && !collections.client.options.loadBalanced,
    }
  } finally {
    await scratch.drop()
  }
}

function require(whatIsWrong: string, holds: boolean): void {
  if (holds) return
  throw new ServerUnfitError(`this server cannot keep the log: ${whatIsWrong}. Use MongoDB 7.0 or later`)
}

/** A cursor lives in one router: where there are several, the next question may go to another one. */
function hasOneHost({ client }: Collections): boolean {
  return client.options.hosts.length === 1 && client.options.srvHost === undefined
}

/** The index of claims. Partial, not sparse: the Stable API knows no sparse indexes, and its queries ignore them. */
export const CLAIMS_INDEX = {
  key: { k: 1 },
  name: 'claims',
  unique: true,
  partialFilterExpression: { k: { $exists: true } },
} as const

class Scratch {
  readonly #collections: Collections
  readonly #name: string
  readonly #ask: AskWith

  constructor(collections: Collections, name: string, ask: AskWith) {
    this.#collections = collections
    this.#name = name
    this.#ask = ask
  }

  async makeClaimsIndex(): Promise<void> {
    const createIndexes = this.#collections.name(this.#name)
    await this.#run('createIndex', { createIndexes, indexes: [CLAIMS_INDEX], writeConcern: WRITE_CONCERN })
  }

  insert(documents: readonly object[]): Promise<Document> {
    const insert = { insert: this.#collections.name(this.#name), documents, writeConcern: WRITE_CONCERN }
    return this.#run('insert', insert)
  }

  /** Whether a unique index refuses the document. Anything else that goes wrong says nothing of the indexes. */
  async isRefused(document: object): Promise<boolean> {
    const reply = await this.insert([document])
    const [error] = writeErrorsOf(reply)
    if (error && Number(error['code']) !== 11000) throw new WriteError(reply)
    return error !== undefined
  }

  async stopsInOrder(): Promise<boolean> {
    const update = this.#collections.name(this.#name)
    const updates = [
      { q: { _id: 'a', n: 1 }, u: { $set: { n: 2 } }, upsert: true },
      { q: { _id: 'after' }, u: { $set: { n: 1 } }, upsert: true },
    ]
    const reply = await this.#run('update', { update, updates, ordered: true, writeConcern: WRITE_CONCERN })
    const stopped = writeErrorsOf(reply).length === 1
    return stopped && !(await this.#has('after'))
  }

  /** A server that does not know the command, or takes it otherwise, is asked for positions first. */
  async fastPathStops(): Promise<boolean> {
    const namespace = this.#collections.namespace(this.#name)
    const counter = { filter: { _id: 'a', n: 1 }, set: { n: 2 } }
    const body = fastPathCommand([namespace, namespace], counter, [{ _id: 'behind' }])
    const answer: Answer = await answerOf(this.#ask((signal) => this.#collections.adminCommand(body, { signal })))
    if ('error' in answer && codeOf(answer.error) === undefined) throw answer.error
    return counterMoved(answer) && !(await this.#has('behind'))
  }

  async remove(id: string): Promise<void> {
    const deletes = [{ q: { _id: id }, limit: 1 }]
    await this.#run('remove', { delete: this.#collections.name(this.#name), deletes, writeConcern: WRITE_CONCERN })
  }

  /** A scratch collection that cannot be removed would be left behind by every start. */
  async drop(): Promise<void> {
    const drop = this.#run('dropCollection', { drop: this.#collections.name(this.#name) })
    await drop.catch((error: unknown) => {
      if (isPermanent(error)) throw error
    })
  }

  async #has(id: string): Promise<boolean> {
    const find = { find: this.#collections.name(this.#name), filter: { _id: id }, limit: 1 }
    const { cursor } = await this.#run('find', find)
    return (cursor as Document)['firstBatch'].length > 0
  }

  #run(right: string, body: Document): Promise<Document> {
    const namespace = this.#collections.namespace(this.#name)
    return needing(right, namespace, () => this.#ask((signal) => this.#collections.command(body, { signal })))
  }
}
