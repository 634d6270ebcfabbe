import type { Db } from 'mongodb'

/** Everything in a database, as bytes: whatever is in there in any form can be searched for. */
export class DatabaseDump {
  readonly collections: readonly string[]
  readonly documents: number
  readonly #bytes: Buffer

  static async of(db: Db): Promise<DatabaseDump> {
    const names = (await db.listCollections().toArray()).map(({ name }) => name).sort()
    const documents: Buffer[] = []
    for (const name of names) {
      const rows = await db.collection(name).find({}, { raw: true }).toArray()
      documents.push(...(rows as unknown as Buffer[]))
    }
    return new DatabaseDump(names, documents)
  }

  private constructor(collections: readonly string[], documents: readonly Buffer[]) {
    this.collections = collections
    this.documents = documents.length
    this.#bytes = Buffer.concat(documents)
  }

  /** Whether the value is in there: as it is, or as base64 or hex. */
  holds(value: string): boolean {
    const bytes = Buffer.from(value)
    // Without what padding would make of its last characters.
    const base64 = [bytes.toString('base64'), bytes.toString('base64url')].map((text) => text.replace(/.{0,2}=*$/, ''))
    return [value, ...base64, bytes.toString('hex')].some((form) => this.#bytes.includes(form))
  }
}
