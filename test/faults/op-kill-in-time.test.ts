import assert from 'node:assert/strict'
import type { KillPoint } from '../support/kill-point.ts'
import { Person } from '../support/op.ts'
import { Deployment } from '../support/op-deployment.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'

/** What is promised: the work of a process that was killed is taken over so soon. */
const TAKEN_OVER_MS = 15_000

/** And so many times as long as a logout takes on this machine now when nobody dies: it may have other things to do. */
const UNDISTURBED_TIMES = 30

interface Scene {
  readonly processes: 1 | 2
  readonly point: (uri: string) => KillPoint
  readonly told: number
}

const SCENES: readonly Scene[] = [
  { processes: 2, point: () => ({ when: 'before', step: { plan: true } }), told: 1 },
  { processes: 2, point: (post) => ({ when: 'before', step: { post } }), told: 1 },
  { processes: 2, point: (post) => ({ when: 'after', step: { post } }), told: 2 },
  { processes: 1, point: (post) => ({ when: 'after', step: { post } }), told: 2 },
]

describe('an OP on MongoDB killed in a logout, with leases as they are', () => {
  let played: readonly { readonly op: Deployment; readonly rp: RelyingParty }[] = []
  after('end the OPs', () => Promise.all(played.flatMap(({ op, rp }) => [op.stop(), rp.stop()])))

  it(`is taken over within ${TAKEN_OVER_MS / 1000} s, planning and deliveries, by one that runs or by a new one`, async () => {
    const stages = SCENES.map(async ({ processes }) => {
      const rp = await startRp('rp')
      const op = await Deployment.start({ kind: 'mongodb', processes, clients: [rp.metadata], quicker: 1 })
      return { op, rp }
    })
    played = (await Promise.allSettled(stages)).flatMap((stage) => (stage.status === 'fulfilled' ? [stage.value] : []))
    assert.equal(played.length, SCENES.length)
    await Promise.all(
      played.map(async ({ op, rp }, index) => {
        const { point, told } = SCENES[index] as Scene
        const undisturbedMs = await logoutMs(op, rp)
        const person = new Person(op)
        await person.authorize('rp')
        await op.arm(point(rp.uri))
        await person.logout().catch(() => undefined) // death may be faster than the answer
        await op.death()
        await op.goOn()
        const died = performance.now()
        const tokens = (await rp.received(1 + told)).slice(1)
        const tookMs = performance.now() - died
        const mostMs = TAKEN_OVER_MS + UNDISTURBED_TIMES * undisturbedMs
        assert.ok(tookMs < mostMs, `scene ${index}: told after ${Math.round(tookMs)} ms, not ${Math.round(mostMs)}`)
        const ids = await Promise.all(tokens.map(async (token) => (await rp.verify(token, op.issuer)).jti))
        assert.equal(new Set(ids).size, told)
      }),
    )
  })
})

/** How long it takes from a person's logout until the RP is told, when nobody dies. */
async function logoutMs(op: Deployment, rp: RelyingParty): Promise<number> {
  const person = new Person(op)
  await person.authorize('rp')
  const began = performance.now()
  await person.logout()
  await rp.received(1)
  return performance.now() - began
}
