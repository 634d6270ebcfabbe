import type { Collection, Db } from 'mongodb'
import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'

interface Row {
  _id: string
  payload: AdapterPayload
  expiresAt?: Date
}

const GRANTABLE: ReadonlySet<string> = new Set([
  'AccessToken',
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
])

/** What most deployments run today: a collection for each model, a row for each instance, a command for each write. */
export async function crudAdapter(db: Db): Promise<AdapterFactory> {
  const rows = (model: string): Collection<Row> => db.collection<Row>(model)
  for (const model of [...GRANTABLE, 'Session', 'Grant', 'Interaction']) {
    await rows(model).createIndexes([
      { key: { expiresAt: 1 }, expireAfterSeconds: 0 },
      { key: { 'payload.grantId': 1 } },
      { key: { 'payload.uid': 1 } },
      { key: { 'payload.userCode': 1 } },
    ])
  }
  return (model) => new CrudAdapter(rows(model))
}

class CrudAdapter implements Adapter {
  readonly #rows: Collection<Row>

  constructor(rows: Collection<Row>) {
    this.#rows = rows
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    const expiry = expiresIn ? { expiresAt: new Date(Date.now() + expiresIn * 1_000) } : {}
    await this.#rows.updateOne({ _id: id }, { $set: { payload, ...expiry } }, { upsert: true })
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return (await this.#rows.findOne({ _id: id }))?.payload
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return (await this.#rows.findOne({ 'payload.uid': uid }))?.payload
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return (await this.#rows.findOne({ 'payload.userCode': userCode }))?.payload
  }

  async consume(id: string): Promise<void> {
    await this.#rows.updateOne({ _id: id }, { $set: { 'payload.consumed': Math.floor(Date.now() / 1_000) } })
  }

  async destroy(id: string): Promise<void> {
    await this.#rows.deleteOne({ _id: id })
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await this.#rows.deleteMany({ 'payload.grantId': grantId })
  }
}
