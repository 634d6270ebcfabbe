import { randomBytes } from 'node:crypto'
import type { Document } from 'mongodb'
import { ServerUnfitError } from '../../lib/errors.ts'
import type { Collections } from './collections.ts'
import { fastPathCommand } from './fast-path.ts'
import { CLAIMS_INDEX, makeIndexes } from './make-indexes.ts'
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

/** The collection on which the server is proved. */
export const SCRATCH = 'scratch'

/** What a process has left there that was killed is removed after so long, in milliseconds. */
const LEFT_MS = 3_600_000

/**
 * Shows, on a scratch collection, that the server does what the log's correctness stands on. The collection stays, so that
 * a user who may not make one can look again; what is written to it is removed.
 *
 * @param indexes - those that the collection has
 * @throws ServerUnfitError (`SERVER_UNFIT`), StoreRefusedError (`STORE_REFUSED`) that names a missing right
 */
export async function checkServer(
  collections: Collections,
  { hello, isRouter }: Server,
  indexes: readonly Document[],
  ask: AskWith,
): Promise<ServerCapabilities> {
  await makeIndexes(collections, SCRATCH, [CLAIMS_INDEX], indexes, ask)
  const scratch = new Scratch(collections, hello['localTime'], ask)
  try {
    await scratch.insert([{ _id: 'a', k: ['one', 'two'] }, { _id: 'b' }])
    require('two documents without claims are refused: the unique index of claims holds for those without any', !(await scratch.isRefused(
      { _id: 'c' },
    )))
    require('a claim can be held twice: the unique index does not hold over arrays', await scratch.isRefused({
      _id: 'd',
      k: ['two', 'three'],
    }))
    require('an ordered bulk write goes on after an error', await scratch.stopsInOrder())
    const mayBeFast = Number(hello['maxWireVersion']) >= BULK_WRITE_WIRE_VERSION && !isRouter
    return {
      fastPath: mayBeFast && (await scratch.fastPathStops()),
      changeStreams: hello['setName'] !== undefined || (isRouter && hasOneHost(collections)),
      knowsPrimary: !isRouter && !collections.client.options.loadBalanced,
    }
  } finally {
    await scratch.clear()
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

interface Proof {
  readonly _id: string
  readonly k?: readonly string[]
}

/** What one process does on the scratch collection: its documents and claims have names that no other one's have. */
class Scratch {
  readonly #collections: Collections
  readonly #at: unknown
  readonly #ask: AskWith
  readonly #own = randomBytes(9).toString('base64url')

  /** @param at - the server's time */
  constructor(collections: Collections, at: unknown, ask: AskWith) {
    this.#collections = collections
    this.#at = at
    this.#ask = ask
  }

  insert(proofs: readonly Proof[]): Promise<Document> {
    const documents = proofs.map(({ _id, k }) => ({
      _id: this.#name(_id),
      at: this.#at,
      ...(k && { k: k.map((claim) => this.#name(claim)) }),
    }))
    const insert = { insert: this.#collections.name(SCRATCH), documents, writeConcern: WRITE_CONCERN }
    return this.#run('insert', insert)
  }

  /** Whether a unique index refuses the document. Anything else that goes wrong says nothing of the indexes. */
  async isRefused(proof: Proof): Promise<boolean> {
    const reply = await this.insert([proof])
    const [error] = writeErrorsOf(reply)
    if (error && Number(error['code']) !== 11000) throw new WriteError(reply)
    return error !== undefined
  }

  async stopsInOrder(): Promise<boolean> {
    const update = this.#collections.name(SCRATCH)
    const updates = [
      { q: { _id: this.#name('a'), n: 1 }, u: { $set: { n: 2 } }, upsert: true },
      { q: { _id: this.#name('after') }, u: { $set: { n: 1, at: this.#at } }, upsert: true },
    ]
    const reply = await this.#run('update', { update, updates, ordered: true, writeConcern: WRITE_CONCERN })
    const stopped = writeErrorsOf(reply).length === 1
    return stopped && !(await this.#has('after'))
  }

  /** A server that does not know the command, or takes it otherwise, is asked for positions first. */
  async fastPathStops(): Promise<boolean> {
    const namespace = this.#collections.namespace(SCRATCH)
    const counter = { filter: { _id: this.#name('a'), n: 1 }, set: { n: 2 } }
    const body = fastPathCommand([namespace, namespace], counter, [{ _id: this.#name('behind'), at: this.#at }])
    const answer: Answer = await answerOf(this.#ask((signal) => this.#collections.adminCommand(body, { signal })))
    if ('error' in answer && codeOf(answer.error) === undefined) throw answer.error
    return counterMoved(answer) && !(await this.#has('behind'))
  }

  /** Where it cannot be cleared now, the next one that is opened clears it later. */
  async clear(): Promise<void> {
    const own = ['a', 'b', 'c', 'd', 'after', 'behind'].map((id) => this.#name(id))
    const deletes: Document[] = [{ q: { _id: { $in: own } }, limit: 0 }]
    if (this.#at instanceof Date) deletes.push({ q: { at: { $lt: new Date(this.#at.getTime() - LEFT_MS) } }, limit: 0 })
    const clear = { delete: this.#collections.name(SCRATCH), deletes, writeConcern: WRITE_CONCERN }
    await this.#run('remove', clear).catch((error: unknown) => {
      if (isPermanent(error)) throw error
    })
  }

  async #has(id: string): Promise<boolean> {
    const find = { find: this.#collections.name(SCRATCH), filter: { _id: this.#name(id) }, limit: 1 }
    const { cursor } = await this.#run('find', find)
    return (cursor as Document)['firstBatch'].length > 0
  }

  #name(name: string): string {
    return `${this.#own}/${name}`
  }

  #run(right: string, body: Document): Promise<Document> {
    const namespace = this.#collections.namespace(SCRATCH)
    return needing(right, namespace, () => this.#ask((signal) => this.#collections.command(body, { signal })))
  }
}
