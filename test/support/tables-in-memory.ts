import type { Document } from 'mongodb'

/** A document that a command has changed: as it was and as it is; undefined where there was none, or is none. */
export interface Change {
  readonly before: Document | undefined
  readonly after: Document | undefined
}

/** What a command does to one table: its reply, and what it has changed. */
interface Done {
  readonly reply: Document
  readonly changes: readonly Change[]
}

type Expression = unknown

/**
 * What this package asks of MongoDB for documents that are changed in place (leases, signs of life, work and its lanes),
 * in memory: queries, updates and pipelines of version 1 of the Stable API, as far as they are used. Numbers are numbers,
 * whatever their type. A document that was handed out never changes.
 */
export class TablesInMemory {
  readonly #tables = new Map<string, Map<unknown, Document>>()

  /** A copy that goes its own way. */
  fork(): TablesInMemory {
    const copy = new TablesInMemory()
    for (const [name, table] of this.#tables) copy.#tables.set(name, new Map(table))
    return copy
  }

  /** All documents of a table, in no order that means something. */
  documents(name: string): readonly Document[] {
    return [...this.#table(name).values()]
  }

  get(name: string, id: unknown): Document | undefined {
    return this.#table(name).get(id)
  }

  find(name: string, { filter = {}, sort = {}, limit = 0 }: Document): Document[] {
    const wanted = plain(filter)
    const found = this.documents(name).filter((document) => isMatch(document, wanted))
    if (Object.keys(sort).length > 0) found.sort((a, b) => inOrder(sort, a, b))
    return limit > 0 ? found.slice(0, limit) : found
  }

  insert(name: string, documents: readonly Document[]): Done {
    const changes: Change[] = []
    const writeErrors: Document[] = []
    for (const [index, document] of documents.entries()) {
      if (this.get(name, document['_id']))
        writeErrors.push({ index, code: 11000, errmsg: 'E11000 duplicate key error' })
      else changes.push(this.#put(name, document['_id'], plain(document)))
    }
    return { reply: { ok: 1, n: changes.length, ...(writeErrors.length > 0 && { writeErrors }) }, changes }
  }

  update(name: string, updates: readonly Document[]): Done {
    const changes: Change[] = []
    let n = 0
    for (const { q, u, multi = false, upsert = false } of updates) {
      const found = this.find(name, { filter: q, limit: multi ? 0 : 1 })
      n += found.length
      for (const document of found) changes.push(...this.#change(name, document, u))
      if (found.length > 0 || !upsert) continue
      changes.push(this.#make(name, q, u))
      n += 1
    }
    return { reply: { ok: 1, n, nModified: changes.filter(({ before }) => before).length }, changes }
  }

  /** One document, as it was or as it then is. */
  findAndModify(name: string, { query, update, upsert, new: isNew, fields }: Document): Done {
    const [before] = this.find(name, { filter: query, limit: 1 })
    const changes = before ? this.#change(name, before, update) : upsert ? [this.#make(name, query, update)] : []
    const after = before ? (changes[0]?.after ?? before) : changes[0]?.after
    const value = (isNew ? after : before) ?? null
    return { reply: { ok: 1, value: value && projected(value, fields) }, changes }
  }

  delete(name: string, deletes: readonly Document[]): Done {
    const gone = deletes.flatMap(({ q, limit }) =>
      this.find(name, { filter: q, limit }).map((before) => {
        this.#table(name).delete(before['_id'])
        return { before, after: undefined }
      }),
    )
    return { reply: { ok: 1, n: gone.length }, changes: gone }
  }

  aggregate(name: string, pipeline: readonly Document[]): Document[] {
    let found = this.documents(name) as Document[]
    for (const stage of pipeline) {
      const [[operator, argument] = []] = Object.entries(stage)
      if (operator === '$match') found = found.filter((document) => isMatch(document, argument))
      else if (operator === '$group') found = grouped(found, argument)
      else if (operator === '$sort') found = found.toSorted((a, b) => inOrder(argument, a, b))
      else if (operator === '$limit') found = found.slice(0, argument)
      else if (operator === '$project') found = found.map((document) => shaped(document, argument))
      else throw new Error(`${operator} is not known to this server`)
    }
    return found
  }

  #table(name: string): Map<unknown, Document> {
    const table = this.#tables.get(name) ?? new Map<unknown, Document>()
    this.#tables.set(name, table)
    return table
  }

  #put(name: string, id: unknown, after: Document): Change {
    const before = this.get(name, id)
    this.#table(name).set(id, after)
    return { before, after }
  }

  #change(name: string, before: Document, update: Document | Document[]): readonly Change[] {
    const after = updated(before, update, false)
    return same(before, after) ? [] : [this.#put(name, before['_id'], after)]
  }

  #make(name: string, query: Document, update: Document | Document[]): Change {
    const equal = Object.entries(plain(query)).filter(([, wanted]) => !isOperators(wanted))
    const made = updated(Object.fromEntries(equal), update, true)
    return this.#put(name, made['_id'], made)
  }
}

/** The value with numbers instead of 64-bit integers: a copy, so that whoever handed it in may change his own. */
function plain<T>(value: T): T
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map((one) => plain(one))
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]))
}

/** Whether a document is what a query asks for. */
function isMatch(document: Document, filter: Document): boolean {
  return Object.entries(filter).every(([path, wanted]) => {
    if (path === '$or') return wanted.some((one: Document) => isMatch(document, one))
    const value = at(document, path)
    return isOperators(wanted)
      ? Object.entries(wanted).every(([operator, operand]) => passes(value, operator, operand))
      : value === wanted
  })
}

function passes(value: unknown, operator: string, operand: unknown): boolean {
  switch (operator) {
    case '$exists':
      return (value !== undefined) === operand
    case '$in':
      return (operand as unknown[]).includes(value)
    case '$nin':
      return !(operand as unknown[]).includes(value)
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte': {
      if (typeof value !== typeof operand) return false // a query compares only what is of one kind
      const order = compared(value, operand)
      return operator.startsWith('$g')
        ? order > 0 || (order === 0 && operator === '$gte')
        : order < 0 || (order === 0 && operator === '$lte')
    }
    default:
      throw new Error(`${operator} is not known to this server`)
  }
}

function isOperators(wanted: unknown): wanted is Document {
  return typeof wanted === 'object' && wanted !== null && Object.keys(wanted).some((key) => key.startsWith('$'))
}

/** The document after an update by operators, or by a pipeline. */
function updated(before: Document, update: Document | Document[], isMade: boolean): Document {
  const after = plain(before)
  if (Array.isArray(update)) {
    for (const { $set } of update) {
      const values = Object.entries($set).map(([path, expression]) => [path, evaluated(after, expression)] as const)
      for (const [path, value] of values) put(after, path, value)
    }
    return after
  }
  for (const [operator, fields] of Object.entries(update)) {
    for (const [path, operand] of Object.entries(plain(fields) as Document))
      apply(after, operator, path, operand, isMade)
  }
  return after
}

function apply(document: Document, operator: string, path: string, operand: unknown, isMade: boolean): void {
  const value = at(document, path)
  if (operator === '$set' || (operator === '$setOnInsert' && isMade)) put(document, path, operand)
  else if (operator === '$inc') put(document, path, Number(value ?? 0) + Number(operand))
  else if (operator === '$max')
    put(document, path, value === undefined || compared(operand, value) > 0 ? operand : value)
  else if (operator === '$min')
    put(document, path, value === undefined || compared(operand, value) < 0 ? operand : value)
  else if (operator === '$unset') put(document, path, undefined)
  else if (operator !== '$setOnInsert') throw new Error(`${operator} is not known to this server`)
}

/** What an expression of a pipeline comes to. */
function evaluated(document: Document, expression: Expression): unknown {
  if (typeof expression === 'string' && expression.startsWith('$')) return at(document, expression.slice(1))
  if (!isOperators(expression)) return plain(expression)
  const [[operator, operands] = []] = Object.entries(expression)
  const values = (operands as Expression[]).map((operand) => evaluated(document, operand))
  if (operator === '$add') return values.reduce((sum: number, value) => sum + Number(value), 0)
  if (operator === '$ifNull') return values.find((value) => value !== undefined && value !== null)
  if (operator === '$eq') return values[0] === values[1]
  if (operator === '$cond') return values[0] ? values[1] : values[2]
  throw new Error(`${operator} is not known to this server`)
}

function grouped(documents: readonly Document[], { _id: by, ...sums }: Document): Document[] {
  const groups = new Map<unknown, Document[]>()
  for (const document of documents) {
    const key = evaluated(document, by) ?? null
    groups.set(key, [...(groups.get(key) ?? []), document])
  }
  return [...groups].map(([_id, members]) => {
    const group: Document = { _id }
    for (const [field, accumulator] of Object.entries(sums)) {
      const found = members.map((member) => evaluated(member, accumulator.$sum ?? accumulator.$min))
      const values = found.filter((value) => value !== undefined).map(Number) // both leave out what is not there
      if (accumulator.$sum !== undefined) group[field] = values.reduce((a, b) => a + b, 0)
      else group[field] = values.length === 0 ? null : Math.min(...values)
    }
    return group
  })
}

function shaped(document: Document, fields: Document): Document {
  const wanted = Object.entries(fields).filter(([, field]) => field !== 0)
  return Object.fromEntries(
    wanted.map(([name, field]) => [name, field === 1 ? document[name] : evaluated(document, field)]),
  )
}

function projected(document: Document, fields: Document | undefined): Document {
  return fields ? { _id: document['_id'], ...shaped(document, fields) } : document
}

function inOrder(sort: Document, a: Document, b: Document): number {
  for (const [path, direction] of Object.entries(sort)) {
    const order = compared(at(a, path), at(b, path))
    if (order !== 0) return direction * order
  }
  return 0
}

/** What is not there comes first; of texts as of numbers, the smaller. */
function compared(a: unknown, b: unknown): number {
  if (a === b) return 0
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1
  return (a as number) < (b as number) ? -1 : 1
}

function at(document: Document, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Document | undefined)?.[name], document)
}

function put(document: Document, path: string, value: unknown): void {
  const names = path.split('.')
  const last = names.pop() as string
  const owner = names.reduce((inner, name) => (inner[name] ??= {}), document)
  if (value === undefined) delete owner[last]
  else owner[last] = value
}

function same(a: Document, b: Document): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
