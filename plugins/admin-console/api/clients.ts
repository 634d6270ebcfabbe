import type { LogoutMetadataChange } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { assertKnown, type Fields, invalid, requiredText, text } from '../../../lib/web/fields.ts'
import { WebError } from '../../../lib/web/web-error.ts'
import type { ClientDetail, ClientPauseAnswer, ClientsPage } from './contract.ts'
import { KnownClients } from './known-clients.ts'
import { cursorInvalid, PAGE_FIELDS, pageIn } from './page-fields.ts'
import type { Answer, Call, Route } from './route.ts'

/** The session of the oldest pending delivery of an RP is looked for among so many, those due first. */
const LOOKED_AT = 200

/** RPs of which anything is known, by client id. */
export const listClients: Route = {
  role: 'viewer',
  async handle(call) {
    assertKnown(call.fields, ['q', ...PAGE_FIELDS])
    const { limit, cursor } = pageIn(call.fields)
    const after = cursor === undefined ? undefined : afterIn(cursor)
    const q = text(call.fields, 'q')
    const known = await KnownClients.look(call)
    const ids = await idsFor(call, known, { limit: limit + 1, ...(after !== undefined && { after }), ...(q && { q }) })
    const items = await known.rows(ids.slice(0, limit))
    const last = ids.length > limit ? items.at(-1)?.clientId : undefined
    const page: ClientsPage = { items, looked: items.length, ...(last !== undefined && { next: cursorAfter(last) }) }
    return { body: page }
  },
}

export const showClient: Route = {
  role: 'viewer',
  async handle(call) {
    assertKnown(call.fields, ['client'])
    return detail(call, requiredText(call.fields, 'client'))
  },
}

/** Changes what a stored client says of back-channel logout. */
export const changeClient: Route = {
  role: 'operator',
  async handle(call) {
    const { logout, operator, fields } = call
    assertKnown(fields, ['client', 'version', 'changes'])
    const clientId = requiredText(fields, 'client')
    const options = { actor: operator.name, version: requiredText(fields, 'version') }
    const { kind } = await logout.clients.change(clientId, changesIn(fields), options)
    switch (kind) {
      case 'changed':
        return detail(call, clientId)
      case 'conflict':
        throw new WebError(409, 'CLIENT_CHANGED', 'somebody else has changed the client meanwhile: look at it again')
      case 'not_stored':
        throw new WebError(
          409,
          'CLIENT_NOT_STORED',
          'the client is not in the store of the clients: change it where it is',
        )
      case 'unknown':
        throw unknown()
    }
  },
}

/** Sends the RP a logout token that nobody has. */
export const testClient: Route = {
  role: 'operator',
  async handle({ logout, operator, fields }) {
    return { body: await logout.clients.test({ client: clientIn(fields) }, { actor: operator.name }) }
  },
}

export const pauseClient: Route = {
  role: 'operator',
  async handle({ logout, operator, fields }) {
    const client = clientIn(fields)
    await logout.pause({ client }, { actor: operator.name })
    return pauseOf(logout, client)
  },
}

export const resumeClient: Route = {
  role: 'operator',
  async handle({ logout, operator, fields }) {
    const client = clientIn(fields)
    await logout.resume({ client }, { actor: operator.name })
    return pauseOf(logout, client)
  },
}

async function pauseOf(logout: Call['logout'], clientId: string): Promise<Answer> {
  const paused = (await logout.paused()).find((one) => one.clientId === clientId)
  return { body: { ...(paused && { paused }) } satisfies ClientPauseAnswer }
}

async function detail(call: Call, clientId: string): Promise<Answer> {
  const { logout } = call
  const [settings, row, pending] = await Promise.all([
    logout.clients.settings(clientId),
    KnownClients.rowOf(call, clientId),
    logout.pages.pending({ client: clientId }, { limit: LOOKED_AT }),
  ])
  if (!settings) throw unknown()
  const oldest = pending.items.find(({ endedAt }) => endedAt === row.oldestPendingAt)
  const answer: ClientDetail = { ...row, settings, ...(oldest && { oldestPendingSession: oldest.sessionUid }) }
  return { body: answer }
}

/** Sorted; what the application knows, what the log tells, and an id that is meant as a whole. */
async function idsFor(
  { clients, logout }: Call,
  known: KnownClients,
  { q, after, limit }: { readonly q?: string; readonly after?: string; readonly limit: number },
): Promise<string[]> {
  const listed =
    (await clients?.list({ limit, ...(q !== undefined && { q }), ...(after !== undefined && { after }) })) ?? []
  const ids = new Set([...known.ids(), ...listed])
  if (q !== undefined && !ids.has(q) && (await logout.clients.settings(q))) ids.add(q)
  return [...ids]
    .filter((id) => (after === undefined || id > after) && (q === undefined || id.includes(q)))
    .sort(byCodeUnits)
    .slice(0, limit)
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function changesIn({ changes }: Fields): LogoutMetadataChange {
  if (typeof changes !== 'object' || changes === null || Array.isArray(changes))
    throw invalid('changes', 'must be an object with the members that change')
  return changes as LogoutMetadataChange
}

function clientIn(fields: Fields): string {
  assertKnown(fields, ['client'])
  return requiredText(fields, 'client')
}

function unknown(): WebError {
  return new WebError(404, 'CLIENT_UNKNOWN', 'nobody knows this client')
}

function cursorAfter(clientId: string): string {
  return Buffer.from(clientId).toString('base64url')
}

function afterIn(cursor: string): string {
  const after = Buffer.from(cursor, 'base64url').toString()
  if (cursorAfter(after) !== cursor) throw cursorInvalid()
  return after
}
