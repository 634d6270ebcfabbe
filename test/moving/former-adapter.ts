import type { Collection, Db, Document } from 'mongodb'
import type { Adapter, AdapterPayload } from 'oidc-provider'

/** How one of the adapters in use keeps a model. */
export interface FormerStyle {
  collection(model: string): string
  /** Finds the document of an id. */
  byId(model: string, id: string): Document
  /** The path of a member of the payload. */
  path(member: string): string
  /** What is set. `expiresAt`: absent where oidc-provider gives no lifetime. */
  document(model: string, id: string, payload: AdapterPayload, expiresAt: Date | undefined): Document
  /** What `find` returns. */
  payload(document: Document): AdapterPayload
  /** What `consume` does. */
  consumed(nowSeconds: number): Document
  /** Beside the id: for adapters that keep several models in one collection. */
  also?(model: string): Document
  /** Adapters that look a session up by its id. */
  readonly uidIsId?: boolean
}

/** The adapter, as deployments have copied it: a command for each write, and no more care than they took. */
export class FormerAdapter implements Adapter {
  readonly #model: string
  readonly #style: FormerStyle
  readonly #rows: Collection

  constructor(db: Db, model: string, style: FormerStyle) {
    this.#model = model
    this.#style = style
    this.#rows = db.collection(style.collection(model))
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    const expiresAt = expiresIn ? new Date(Date.now() + expiresIn * 1000) : undefined
    const document = this.#style.document(this.#model, id, payload, expiresAt)
    await this.#rows.updateOne(this.#style.byId(this.#model, id), { $set: document }, { upsert: true })
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return this.#found(this.#style.byId(this.#model, id))
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    if (this.#style.uidIsId) return this.find(uid)
    return this.#found({ [this.#style.path('uid')]: uid, ...this.#style.also?.(this.#model) })
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#found({ [this.#style.path('userCode')]: userCode })
  }

  async consume(id: string): Promise<void> {
    await this.#rows.updateOne(this.#style.byId(this.#model, id), {
      $set: this.#style.consumed(Math.floor(Date.now() / 1000)),
    })
  }

  async destroy(id: string): Promise<void> {
    await this.#rows.deleteOne(this.#style.byId(this.#model, id))
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await this.#rows.deleteMany({ [this.#style.path('grantId')]: grantId })
  }

  async #found(filter: Document): Promise<AdapterPayload | undefined> {
    const document = await this.#rows.findOne(filter)
    return document ? this.#style.payload(document) : undefined
  }
}
