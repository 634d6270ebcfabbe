import type { Collection, Db, Document } from 'mongodb'
import { LayoutUnknownError } from '../../../lib/errors.ts'
import { SETTINGS } from '../settings.ts'
import type { CollectionLayout, Layout } from './layout.ts'
import { storedIds } from './plain-values.ts'
import { idPath, pathOf, readDocument, type SourceRecord } from './read-document.ts'

/** The documents of another adapter. They are only read. */
export class Source {
  readonly layout: Layout
  readonly #db: Db

  constructor(db: Db, layout: Layout) {
    this.#db = db
    this.layout = layout
  }

  /** @throws LayoutUnknownError (`LAYOUT_UNKNOWN`) when a collection of the layout is not there */
  async assertThere(): Promise<void> {
    const wanted = { name: { $in: this.layout.collections.map(({ collection }) => collection) } }
    const there = await this.#db.listCollections(wanted, { nameOnly: true }).toArray()
    const names = new Set(there.map(({ name }) => name))
    for (const { collection } of this.layout.collections) {
      if (!names.has(collection))
        throw new LayoutUnknownError(
          `the layout names the collection ${collection}, which is not in ${this.#db.databaseName}: take it out of the layout`,
        )
    }
  }

  /** About how many documents there are. */
  async count(): Promise<number> {
    const names = new Set(this.layout.collections.map(({ collection }) => collection))
    const counts = [...names].map((name) => this.#collection(name).estimatedDocumentCount())
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
  }

  /** The documents of one collection, by pages in the order of `_id`: one page is in memory at a time. */
  async *pages(layout: CollectionLayout, size: number): AsyncGenerator<readonly SourceRecord[]> {
    const cursor = this.#collection(layout.collection).find(filterOf(layout)).sort({ _id: 1 }).batchSize(size)
    try {
      let page: SourceRecord[] = []
      for await (const document of cursor) {
        page.push(readDocument(layout, document))
        if (page.length < size) continue
        yield page
        page = []
      }
      if (page.length > 0) yield page
    } finally {
      await cursor.close()
    }
  }

  /** Which of these ids of a model are there. One command for each collection that may hold the model. */
  async existing(model: string, ids: readonly string[]): Promise<Set<string>> {
    const found = new Set<string>()
    if (ids.length === 0) return found
    for (const layout of this.#collectionsOf(model)) {
      const { idPrefix = '' } = layout
      const stored = ids.flatMap((id) => storedIds(id, idPrefix))
      const filter = { ...filterOf(layout), [idPath(layout, model)]: { $in: stored } }
      for await (const document of this.#collection(layout.collection).find(filter)) {
        const record = readDocument(layout, document)
        if (record.model === model && record.id !== undefined) found.add(record.id)
      }
    }
    return found
  }

  /** The document with this id, as the other adapter finds it. */
  find(model: string, id: string): Promise<SourceRecord | undefined> {
    return this.#findBy(model, (layout) => ({ [idPath(layout, model)]: { $in: storedIds(id, layout.idPrefix) } }))
  }

  /** A document whose payload has this value. */
  findBy(model: string, member: string, value: string): Promise<SourceRecord | undefined> {
    return this.#findBy(model, (layout) => ({ [pathOf(layout, member)]: value }))
  }

  /** Whether the layout says where this model is. */
  holds(model: string): boolean {
    return this.#collectionsOf(model).length > 0
  }

  /** Whether there is a session with this id. */
  readonly hasSession = async (id: string): Promise<boolean> => (await this.existing('Session', [id])).has(id)

  /** Whether there are grants: oidc-provider 6 and earlier had none. */
  async hasGrants(): Promise<boolean> {
    return (await this.findBy('Grant', 'kind', 'Grant')) !== undefined
  }

  /** The uids that more than one live session has. The server groups; only these come here. */
  async *duplicateUids(now: number): AsyncGenerator<{ readonly collection: string; readonly uid: string }> {
    for (const layout of this.#collectionsOf('Session')) {
      const uid = pathOf(layout, 'uid')
      const filter = {
        ...filterOf(layout),
        ...liveAt(layout, now),
        [uid]: { $type: 'string' },
        ...(typeof layout.model !== 'string' && { [pathOf(layout, 'kind')]: 'Session' }),
      }
      const grouped = this.#collection(layout.collection).aggregate<{ _id: string }>(
        [{ $match: filter }, { $group: { _id: `$${uid}`, count: { $sum: 1 } } }, { $match: { count: { $gt: 1 } } }],
        { allowDiskUse: true },
      )
      for await (const { _id } of grouped) yield { collection: layout.collection, uid: _id }
    }
  }

  async #findBy(model: string, filter: (layout: CollectionLayout) => Document): Promise<SourceRecord | undefined> {
    for (const layout of this.#collectionsOf(model)) {
      const found = this.#collection(layout.collection)
        .find({ ...filterOf(layout), ...filter(layout) })
        .batchSize(2)
      for await (const document of found) {
        const record = readDocument(layout, document)
        if (record.model === model) return record
      }
    }
    return undefined
  }

  #collectionsOf(model: string): CollectionLayout[] {
    return this.layout.collections.filter((layout) => typeof layout.model !== 'string' || layout.model === model)
  }

  #collection(name: string): Collection {
    return this.#db.collection(name, SETTINGS)
  }
}

/** The documents that the layout is about. A prefix of an id is looked for in the index. */
function filterOf({ only = {}, id, idPrefix }: CollectionLayout): Document {
  return { ...only, ...(idPrefix !== undefined && { [id]: { $gte: idPrefix, $lt: `${idPrefix}\uffff` } }) }
}

/** The documents that have not expired. */
function liveAt(layout: CollectionLayout, now: number): Document {
  const { expiry, expiryDecides } = layout
  if (expiryDecides && expiry !== undefined) return { [expiry]: { $not: { $lte: new Date(now * 1000) } } }
  return { [pathOf(layout, 'exp')]: { $not: { $lte: now } } }
}
