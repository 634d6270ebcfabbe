import { type EventSourced, type EventStore, eventSourced, type Plugin, silent } from '../../lib/index.ts'

/** An OP on the log without requests: for what application code and commands do. */
export async function startedOp(
  store: EventStore,
  { issuer = 'https://op.example.com', plugins = [] }: { issuer?: string; plugins?: readonly Plugin[] } = {},
): Promise<EventSourced> {
  const op = eventSourced(store, { logger: silent, plugins })
  await op.start({
    issuer,
    use: () => undefined,
    Client: { find: async () => undefined, adapter: op.adapter('Client') },
    Session: class {},
  })
  return op
}
