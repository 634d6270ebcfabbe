import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type NewSpan, type Span, systemClock, type Telemetry } from '../../lib/index.ts'
import { measuredStore } from '../../lib/telemetry/measured-store.ts'
import { eventStoreContract } from './event-store.ts'

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/** As an SDK does: each span has a trace context, which goes into the commit. */
const traced: Telemetry = {
  span: <T>(_span: NewSpan, work: (span: Span) => Promise<T>): Promise<T> => work({ set() {}, fail() {} }),
  traceparent: () => TRACE,
  record() {},
  observe: () => () => undefined,
}

eventStoreContract(
  'memory, measured',
  async () => ({
    open: async () => measuredStore(new MemoryEventStore(), traced, systemClock),
    remove: async () => {},
  }),
  { kept: false, shared: false, dense: true, meta: { trace: TRACE } },
)
