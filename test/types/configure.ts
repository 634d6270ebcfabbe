// Compiled by `npm run types`, never run: what a user of TypeScript writes inside configure() is typed as it is inside
// `new Provider()`, and as it is apart from it: callbacks have their parameters' types, literals stay what they are, and
// members that oidc-provider does not know are refused.
import Provider, { type Adapter, type AdapterPayload, type Configuration } from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { eventSourced } from '../../lib/index.ts'

const op = eventSourced(new MemoryEventStore())

export const inline: Provider = new Provider(
  'http://localhost:3000',
  op.configure({
    clients: [{ client_id: 'rp', token_endpoint_auth_method: 'none', response_types: ['code'], redirect_uris: [] }],
    findAccount: async (_ctx, id) => ({ accountId: id, claims: async (use) => ({ sub: `${id} ${use.length}` }) }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    features: { introspection: { enabled: true }, devInteractions: { enabled: false } },
    ttl: { AccessToken: (_ctx, token) => token.clientId?.length ?? 60 },
  }),
)

const given: Configuration = { clients: [] }
export const apart: Provider = new Provider('http://localhost:3000', op.configure(given))

const inAVariable = op.configure({
  findAccount: async (ctx, id, token) => ({
    accountId: id.toUpperCase(),
    claims: async (use, scope) => ({ sub: `${ctx.method} ${use.length} ${scope.length} ${token?.jti.length}` }),
  }),
  loadExistingGrant: async (ctx) => ctx.oidc.provider.Grant.find(ctx.oidc.session?.grantIdFor('rp') ?? ''),
  renderError: (ctx, out, error) => {
    ctx.body = `${out.error} ${error.message}`
  },
  ttl: { Session: (_ctx, session) => (session.accountId === undefined ? 60 : 3600) },
})
export const provider: Provider = new Provider('http://localhost:3000', inAVariable)

// @ts-expect-error oidc-provider has no `findAcount`
op.configure({ findAcount: async () => undefined })

// @ts-expect-error nor a feature of this name
op.configure({ features: { introspektion: { enabled: true } } })

// @ts-expect-error a feature is switched by an object
op.configure({ features: { introspection: true } })

// @ts-expect-error the adapter is set by configure()
op.configure({ adapter: () => ({}) })

// @ts-expect-error a callback with a wrong answer
op.configure({ ttl: { Session: () => 'an hour' } })

/** Adapters of one's own may be typed as oidc-provider's. */
class OwnClients {
  async find(id: string): Promise<AdapterPayload | undefined> {
    return id === 'rp' ? { client_id: id } : undefined
  }
}
declare const whole: Adapter
eventSourced(new MemoryEventStore(), { adapters: { Client: () => new OwnClients(), Passkey: () => whole } })

// @ts-expect-error an adapter finds
eventSourced(new MemoryEventStore(), { adapters: { Client: () => ({}) } })
