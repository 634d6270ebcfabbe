import type { CircuitPolicy } from './delivery-policy.ts'

/**
 * One RP's circuit. *Closed*: requests flow. After so many failures in a row it *opens*: nothing is sent, deliveries wait
 * without spending attempts. After a while it lets one request through as a *probe*: if the RP answers, the circuit
 * closes; if not, it stays open for twice as long, up to a limit. Pure; time is handed in, by a monotonic clock.
 */
export interface Circuit {
  readonly failures: number
  /** While open: when it may probe, and how long it was to stay open. */
  readonly open?: { readonly until: number; readonly ms: number }
  /** Whether a probe is under way. */
  readonly probing: boolean
}

export const CLOSED: Circuit = { failures: 0, probing: false }

/** How many requests may be sent now, beside those under way: any number, one, or none. */
export function room({ open, probing }: Circuit, now: number): 'any' | 'probe' | 'none' {
  if (!open) return 'any'
  return !probing && now >= open.until ? 'probe' : 'none'
}

/** A request is sent. */
export function sent(circuit: Circuit): Circuit {
  return circuit.open ? { ...circuit, probing: true } : circuit
}

/** The RP answered: whatever it said, it is there. */
export function answered(): Circuit {
  return CLOSED
}

/** The probe was not sent after all. */
export function released(circuit: Circuit): Circuit {
  return { ...circuit, probing: false }
}

/**
 * It did not, or only to say that it cannot (5xx).
 *
 * @param probe - whether the request was the probe: what was sent before the circuit opened says nothing new
 */
export function failed(
  circuit: Circuit,
  probe: boolean,
  { failures: most, minOpenMs, maxOpenMs }: CircuitPolicy,
  now: number,
): Circuit {
  if (circuit.open) {
    if (!probe || !circuit.probing) return circuit
    const ms = Math.min(maxOpenMs, circuit.open.ms * 2)
    return { ...circuit, open: { until: now + ms, ms }, probing: false }
  }
  const failures = circuit.failures + 1
  return failures < most
    ? { ...circuit, failures }
    : { ...circuit, failures, open: { until: now + minOpenMs, ms: minOpenMs } }
}

/** When waiting may be over; undefined while closed or probing. */
export function probesAt({ open, probing }: Circuit): number | undefined {
  return probing ? undefined : open?.until
}
