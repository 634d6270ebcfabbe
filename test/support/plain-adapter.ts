import { createServer } from 'node:http'
import Provider, { type Adapter, type AdapterPayload } from 'oidc-provider'
import { listen, type OpOptions, testConfiguration, withoutNotices } from './op.ts'

/**
 * A plain adapter, as the field has them: a row for each id, each write over whatever is there. Conforms to
 * oidc-provider's documentation, and to nothing else.
 */
export class PlainStore {
  readonly #rows = new Map<string, AdapterPayload>()
  /** Called before a model's instance is written; may wait. */
  beforeUpsert: ((model: string) => Promise<void> | void) | undefined

  /** The rows of a model, each with its id. */
  rowsOf(model: string): [id: string, payload: AdapterPayload][] {
    const prefix = `${model} `
    return [...this.#rows]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, payload]) => [key.slice(prefix.length), structuredClone(payload)])
  }

  readonly adapter = (model: string): Adapter => {
    const key = (id: string): string => `${model} ${id}`
    const rows = this.#rows
    const rowsOf = (field: string, value: string): [string, AdapterPayload][] =>
      [...rows].filter(([id, row]) => id.startsWith(`${model} `) && row[field] === value)
    // Every call answers later, as a database does.
    const later = <T>(value: T): Promise<T> => new Promise((resolve) => setImmediate(() => resolve(value)))
    return {
      upsert: async (id, payload) => {
        await this.beforeUpsert?.(model)
        rows.set(key(id), structuredClone(payload))
        await later(undefined)
      },
      find: async (id) => later(structuredClone(rows.get(key(id)))),
      findByUid: async (uid) => later(structuredClone(rowsOf('uid', uid)[0]?.[1])),
      findByUserCode: async (userCode) => later(structuredClone(rowsOf('userCode', userCode)[0]?.[1])),
      consume: async (id) => {
        const row = rows.get(key(id))
        if (row) row.consumed = Math.floor(Date.now() / 1000)
        await later(undefined)
      },
      destroy: async (id) => {
        rows.delete(key(id))
        await later(undefined)
      },
      revokeByGrantId: async (grantId) => {
        for (const [id] of rowsOf('grantId', grantId)) rows.delete(id)
        await later(undefined)
      },
    }
  }
}

/** The same OP as `startOp()` makes, on a plain adapter. */
export async function startPlainOp(
  store: Pick<PlainStore, 'adapter'>,
  options: Pick<OpOptions, 'clients' | 'configuration' | 'port'>,
): Promise<{ readonly issuer: string; readonly provider: Provider; stop(): Promise<void> }> {
  const server = createServer()
  const issuer = `http://127.0.0.1:${await listen(server, options.port ?? 0)}`
  const configuration = await testConfiguration(options)
  const provider = withoutNotices(() => new Provider(issuer, { ...configuration, adapter: store.adapter }))
  server.on('request', provider.callback())
  return {
    issuer,
    provider,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
