/**
 * One RP's circuit. *Closed*: requests flow. After 5 failures in a row it *opens*: nothing is sent, deliveries wait
 * without spending attempts. After 30 s it lets one request through as a *probe*: if the RP answers, the circuit closes;
 * if not, it stays open for twice as long, up to 5 min. Pure; time is handed in, by a monotonic clock.
 */
export interface Circuit {
  readonly failures: number
  /** When it may probe; absent while closed. */
  readonly openUntil?: number
  readonly openMs: number
  /** Whether a probe is under way. */
  readonly probing: boolean
}

const FAILURES = 5
const OPEN_LEAST_MS = 30_000
const OPEN_MOST_MS = 300_000

export const CLOSED: Circuit = { failures: 0, openMs: OPEN_LEAST_MS, probing: false }

/** How many requests may be sent now, beside those under way: any number, one, or none. */
export function room(circuit: Circuit, now: number): 'any' | 'probe' | 'none' {
  if (circuit.openUntil === undefined) return 'any'
  return !circuit.probing && now >= circuit.openUntil ? 'probe' : 'none'
}

/** A request is sent. */
export function sent(circuit: Circuit): Circuit {
  return circuit.openUntil === undefined ? circuit : { ...circuit, probing: true }
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
export function failed(circuit: Circuit, probe: boolean, now: number): Circuit {
  if (circuit.openUntil !== undefined) {
    if (!probe || !circuit.probing) return circuit
    const openMs = Math.min(OPEN_MOST_MS, circuit.openMs * 2)
    return { ...circuit, openMs, openUntil: now + openMs, probing: false }
  }
  const failures = circuit.failures + 1
  return failures < FAILURES ? { ...circuit, failures } : { ...circuit, failures, openUntil: now + circuit.openMs }
}

/** When waiting may be over; undefined while closed or probing. */
export function probesAt({ openUntil, probing }: Circuit): number | undefined {
  return probing ? undefined : openUntil
}
