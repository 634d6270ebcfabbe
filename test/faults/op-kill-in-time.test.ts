import assert from 'node:assert/strict'
import type { KillPoint } from '../support/kill-point.ts'
import { Person } from '../support/op.ts'
import { Deployment } from '../support/op-deployment.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'

/** What is promised: the work of a process that was killed is taken over so soon. */
const TAKEN_OVER_MS = 15_000

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

describe('an OP on MongoDB killed in a logout, with leases as they are', function () {
  this.timeout(90_000)
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
        const person = new Person(op)
        await person.authorize('rp')
        await op.arm(point(rp.uri))
        await person.logout().catch(() => undefined) // death may be faster than the answer
        await op.death()
        await op.goOn()
        const died = performance.now()
        const tokens = await rp.received(told)
        const tookMs = performance.now() - died
        assert.ok(tookMs < TAKEN_OVER_MS, `scene ${index}: told after ${Math.round(tookMs)} ms`)
        const ids = await Promise.all(tokens.map(async (token) => (await rp.verify(token, op.issuer)).jti))
        assert.equal(new Set(ids).size, told)
      }),
    )
  })
})
