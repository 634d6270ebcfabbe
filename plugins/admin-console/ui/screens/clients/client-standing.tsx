import type { ClientRow } from '../../../api/contract.ts'
import { Chip } from '../../parts/chip.tsx'

/** Whether an RP is told now: paused by an operator, left alone since it fails, or neither. */
export function ClientStanding({ client }: { readonly client: Pick<ClientRow, 'paused' | 'circuit' | 'pending'> }) {
  if (client.paused) return <Chip tone="warn" icon="pause" text="paused" />
  if (client.circuit === 'open') return <Chip tone="bad" icon="plug" text="circuit open" />
  if (client.pending === undefined) return <Chip tone="quiet" text="not counted" isPlain />
  if (client.pending > 0) return <Chip tone="busy" text="being told" />
  return <Chip tone="quiet" text="nothing pending" isPlain />
}
