// Compiled by `npm run types`, never run: what a user of TypeScript writes inside configure() is typed as it is inside
// `new Provider()`: callbacks have their parameters' types, and literals stay what they are.
import Provider, { type Configuration } from 'oidc-provider'
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
