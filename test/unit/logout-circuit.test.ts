import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  answered,
  type Circuit,
  CLOSED,
  failed,
  probesAt,
  released,
  room,
  sent,
} from '../../plugins/back-channel-logout/delivery/circuit-breaker.ts'
import { Circuits, type Permit } from '../../plugins/back-channel-logout/delivery/circuits.ts'
import { DEFAULT_POLICY } from '../../plugins/back-channel-logout/delivery/delivery-policy.ts'

const POLICY = DEFAULT_POLICY.circuit

/** A circuit after so many failures in a row, at the moments given. */
function failedTimes(failures: number, now: number): Circuit {
  let circuit = CLOSED
  for (let i = 0; i < failures; i++) circuit = failed(circuit, false, POLICY, now)
  return circuit
}

describe('the circuit of an RP', () => {
  it('stays closed for four failures in a row', () => {
    assert.equal(room(failedTimes(4, 0), 0), 'any')
    assert.equal(probesAt(failedTimes(4, 0)), undefined)
  })

  it('opens at the fifth, for 30 s', () => {
    const open = failedTimes(5, 1_000)
    assert.equal(room(open, 1_000), 'none')
    assert.equal(room(open, 30_999), 'none')
    assert.equal(room(open, 31_000), 'probe')
    assert.equal(probesAt(open), 31_000)
  })

  it('counts failures in a row only', () => {
    assert.equal(room(failed(answered(), false, POLICY, 0), 0), 'any')
    assert.deepEqual(answered(), CLOSED)
  })

  it('lets one probe through at a time', () => {
    const probing = sent(failedTimes(5, 0))
    assert.equal(room(probing, 30_000), 'none')
    assert.equal(room(probing, 10_000_000), 'none')
    assert.equal(probesAt(probing), undefined)
  })

  it('waits twice as long after each probe that fails, up to five minutes', () => {
    let circuit = failedTimes(5, 0)
    const waits = [1, 2, 3, 4, 5, 6].map(() => {
      const now = Number(circuit.open?.until)
      circuit = failed(sent(circuit), true, POLICY, now)
      return Number(circuit.open?.until) - now
    })
    assert.deepEqual(waits, [60_000, 120_000, 240_000, 300_000, 300_000, 300_000])
  })

  it('lets the next probe through at once when one was not sent after all', () => {
    const circuit = released(sent(failedTimes(5, 0)))
    assert.equal(room(circuit, 30_000), 'probe')
  })

  it('learns nothing from what was sent before it opened', () => {
    const open = failedTimes(5, 0)
    assert.deepEqual(failed(open, false, POLICY, 10_000), open)
    const probing = sent(open)
    assert.deepEqual(failed(probing, false, POLICY, 40_000), probing)
  })

  it('goes by the numbers that it is given', () => {
    const policy = { failures: 2, minOpenMs: 100, maxOpenMs: 150 }
    const open = failed(failed(CLOSED, false, policy, 0), false, policy, 0)
    assert.deepEqual([room(open, 99), room(open, 100)], ['none', 'probe'])
    assert.equal(failed(sent(open), true, policy, 100).open?.until, 250)
  })

  it('can always come back: from any history, waiting leads to a probe, and its success closes it', () => {
    const act = fc.oneof(
      fc.record({ kind: fc.constantFrom('fail' as const, 'answer' as const, 'release' as const) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(400_000) }),
    )
    const policies = fc
      .tuple(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 60_000 }), fc.nat(600_000))
      .map(([failures, minOpenMs, more]) => ({ failures, minOpenMs, maxOpenMs: minOpenMs + more }))
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), policies, (acts, policy) => {
        let circuit = CLOSED
        let now = 0
        for (const what of acts) {
          if (what.kind === 'wait') {
            now += what.ms
            continue
          }
          const probe = room(circuit, now) === 'probe'
          if (room(circuit, now) === 'none') continue
          circuit = sent(circuit)
          if (what.kind === 'answer') circuit = answered()
          else if (what.kind === 'fail') circuit = failed(circuit, probe, policy, now)
          else circuit = released(circuit)
          assert.ok(circuit.failures <= policy.failures)
          assert.ok(circuit.open === undefined || circuit.open.until <= now + policy.maxOpenMs)
        }
        const later = now + policy.maxOpenMs
        assert.notEqual(room(circuit, later), 'none')
        assert.equal(room(sent(circuit), later), circuit.open ? 'none' : 'any', 'one probe at a time')
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('the circuits of a process', () => {
  /** Circuits in which these lanes lead to RPs that have failed often enough. */
  function open(...lanes: string[]): Circuits {
    const circuits = new Circuits()
    for (const lane of lanes)
      for (let i = 0; i < 5; i++) circuits.recordResult(lane, { probe: false }, 'failed', POLICY, 0)
    return circuits
  }

  /** The probe of a lane whose circuit may be probed. */
  function probe(circuits: Circuits, lane: string, now: number): Permit {
    const permit = circuits.request(lane, now)
    assert.deepEqual(permit, { probe: true })
    return { probe: true }
  }

  it('say when one opens and when it closes', () => {
    const circuits = new Circuits()
    const said = [1, 2, 3, 4, 5].map(() => circuits.recordResult('a', { probe: false }, 'failed', POLICY, 0))
    assert.deepEqual(said, [undefined, undefined, undefined, undefined, 'opened'])
    assert.deepEqual(circuits.open(), ['a'])
    assert.equal(circuits.recordResult('a', probe(circuits, 'a', 30_000), 'alive', POLICY, 30_000), 'closed')
    assert.equal(circuits.room('a', 16, 30_000), 16)
    assert.deepEqual(circuits.open(), [])
  })

  it('leave what an open one leads to no room until it may be probed, then room for one', () => {
    const circuits = open('a')
    assert.equal(circuits.room('a', 16, 29_999), 0)
    assert.equal(circuits.request('a', 29_999), undefined)
    assert.equal(circuits.room('a', 16, 30_000), 1)
    assert.equal(circuits.room('a', 0, 30_000), 0)
    assert.equal(circuits.room('other', 16, 0), 16)
  })

  it('let one probe through at a time, each lane its own', () => {
    const circuits = open('a', 'b')
    probe(circuits, 'a', 30_000)
    assert.equal(circuits.request('a', 30_000), undefined)
    assert.equal(circuits.room('a', 16, 30_000), 0)
    probe(circuits, 'b', 30_000)
  })

  it('take a probe that never got as far as the RP for one that failed', () => {
    const circuits = open('a')
    circuits.recordResult('a', probe(circuits, 'a', 30_000), 'none', POLICY, 31_000)
    assert.equal(circuits.room('a', 16, 31_000), 0)
    assert.equal(circuits.nextProbeAt(31_000), 91_000)
    assert.equal(circuits.room('a', 16, 91_000), 1)
  })

  it('are not kept waiting by a probe for which there is nobody to be told', () => {
    const circuits = open('a')
    circuits.release('a', probe(circuits, 'a', 30_000))
    assert.equal(circuits.room('a', 16, 30_000), 1)
  })

  it('are not moved by a request before they opened that was not sent', () => {
    const circuits = open('a')
    const permit = probe(circuits, 'a', 30_000)
    circuits.release('a', { probe: false })
    assert.equal(circuits.room('a', 16, 30_000), 0)
    circuits.release('a', permit)
    assert.equal(circuits.room('a', 16, 30_000), 1)
  })

  it('learn nothing about the RP from a token that cannot be made', () => {
    const circuits = new Circuits()
    for (let i = 0; i < 10; i++) circuits.recordResult('a', { probe: false }, 'none', POLICY, 0)
    assert.equal(circuits.room('a', 16, 0), 16)
  })

  it('forget an RP that an operator wants to be tried', () => {
    const circuits = open('a', 'b')
    circuits.reset('a')
    assert.deepEqual([circuits.room('a', 16, 0), circuits.room('b', 16, 0)], [16, 0])
  })

  it('remember no RP that is well, however many there are', () => {
    const circuits = new Circuits()
    for (let i = 0; i < 1_000; i++) {
      circuits.recordResult(`${i}`, { probe: false }, 'failed', POLICY, 0)
      circuits.recordResult(`${i}`, { probe: false }, 'alive', POLICY, 0)
    }
    assert.deepEqual([...circuits.known()], [])
  })

  it('name the next moment for a probe, and none that is possible already: waiting for it would be no waiting', () => {
    const circuits = open('a')
    for (let i = 0; i < 5; i++) circuits.recordResult('b', { probe: false }, 'failed', POLICY, 10_000)
    assert.equal(circuits.nextProbeAt(29_999), 30_000)
    assert.equal(circuits.nextProbeAt(30_000), 40_000)
    assert.equal(circuits.nextProbeAt(40_000), undefined)
  })
})
