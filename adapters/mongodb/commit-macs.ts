import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { EventsDocument } from './documents.ts'

/** A key that authenticates commits. */
export interface MacKey {
  /** Stored beside what it has authenticated. */
  readonly id: string
  readonly bytes: Buffer
}

/** Bytes of an HMAC-SHA-256 that are stored: nobody finds one of 128 bits by trying (NIST SP 800-107, 5.3.3). */
const MAC_BYTES = 16

/** So many forgeries are remembered. */
const REMEMBERED = 1_000

/**
 * Authenticates commits: whoever can write to the database and has no keys makes none, moves none to another place, and
 * changes none. A tombstone says nothing, and needs no such proof.
 */
export class CommitMacs {
  readonly #keys: readonly { readonly id: string; readonly key: KeyObject }[]
  readonly #forged = new Set<number>()
  /** What was found to be genuine: all who follow the log get the same documents. */
  readonly #genuine = new WeakSet<EventsDocument>()
  /** Called with the position of each commit that is found not to be genuine, once. */
  onForged: (position: number) => void = () => {}

  /** @param keys - the first one signs; all verify */
  constructor(keys: readonly MacKey[]) {
    this.#keys = keys.map(({ id, bytes }) => ({ id, key: createSecretKey(bytes) }))
  }

  /** What is stored with the document. */
  sign(document: Omit<EventsDocument, 'h'>): string {
    const { id, key } = this.#keys[0] as { readonly id: string; readonly key: KeyObject }
    return `${id}.${macOf(document, key).toString('base64url')}`
  }

  /** Names the log whose keys these are. */
  get logId(): string {
    const { key } = this.#keys.at(-1) as { readonly key: KeyObject } // the oldest: it never changes
    return macOfText('the name of the log', key).toString('base64url')
  }

  /** Proof that a process with the log's keys has written the text: for what lies beside the log. */
  prove(text: string): string {
    const { id, key } = this.#keys[0] as { readonly id: string; readonly key: KeyObject }
    return `${id}.${macOfText(text, key).toString('base64url')}`
  }

  isProof(text: string, proof: unknown): boolean {
    return this.#isOf(proof, (key) => macOfText(text, key))
  }

  /** Positions of commits that were found not to be genuine: the first thousand. */
  get forged(): ReadonlySet<number> {
    return this.#forged
  }

  /** Whether somebody who has the key stored exactly this, at this place. */
  isGenuine(document: EventsDocument): boolean {
    if (this.#genuine.has(document)) return true
    if (this.#isSigned(document)) {
      this.#genuine.add(document)
      return true
    }
    const position = Number(document._id)
    if (!this.#forged.has(position) && this.#forged.size < REMEMBERED) {
      this.#forged.add(position)
      this.onForged(position)
    }
    return false
  }

  #isSigned(document: EventsDocument): boolean {
    return this.#isOf(document.h, (key) => macOf(document, key))
  }

  #isOf(stored: unknown, made: (key: KeyObject) => Buffer): boolean {
    if (typeof stored !== 'string') return false
    const dot = stored.indexOf('.')
    const found = this.#keys.find(({ id }) => id === stored.slice(0, dot))
    const bytes = Buffer.from(stored.slice(dot + 1), 'base64url')
    if (!found || bytes.length !== MAC_BYTES) return false
    try {
      return timingSafeEqual(bytes, made(found.key))
    } catch {
      return false // it holds what nothing of the log holds
    }
  }
}

function macOf(document: Omit<EventsDocument, 'h'>, key: KeyObject): Buffer {
  return macOfText(textOf(document), key)
}

function macOfText(text: string, key: KeyObject): Buffer {
  return createHmac('sha256', key).update(text).digest().subarray(0, MAC_BYTES)
}

/** The commit as one text, from which it can be told apart from any other. */
function textOf({ _id, c, s, k, e, m, at, x }: Omit<EventsDocument, 'h'>): string {
  const events = e.map((event) => [event.s, event.a ?? null, event.t, event.v ?? null, event.d])
  return JSON.stringify([Number(_id), c, s, k ?? null, events, m, at.getTime(), x?.getTime() ?? null])
}
