import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type AdapterFactory, type EventSourced, eventSourced, type RequestContext } from '../../lib/index.ts'
import { FakeContext } from '../contract/provider-adapter/adapter-under-test.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'

type Model = 'AccessToken' | 'RefreshToken'

const MODELS: readonly Model[] = ['AccessToken', 'RefreshToken']

type Step =
  | { readonly kind: 'issue'; readonly model: Model }
  | { readonly kind: 'revoke'; readonly models: readonly Model[] }
  | { readonly kind: 'look' | 'destroy' | 'store' }

/** What one request does, or application code with a commit for each step. */
interface Plan {
  readonly origin: 'request' | 'application'
  readonly steps: readonly Step[]
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('issue'), model: fc.constantFrom(...MODELS) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('revoke'), models: fc.subarray([...MODELS], { minLength: 1 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('look', 'look', 'destroy', 'store') }) },
)
const plan: fc.Arbitrary<Plan> = fc.record({
  origin: fc.constantFrom('request', 'request', 'application'),
  steps: fc.array(step, { minLength: 1, maxLength: 5 }),
})

/** An end or a revocation of the grant, and when whoever made it had looked at the grant first. */
interface End {
  readonly models: readonly Model[]
  readonly lookedAt: number
  readonly completedAt: number
  readonly kind: 'destroy' | 'revoke'
}

interface Issued {
  readonly id: string
  readonly model: Model
  /** When its issuer had looked at the grant first. */
  readonly lookedAt: number
  /** Whether its own request revoked it: nothing that a request issues outlives what the same request ends. */
  readonly endedByItself: boolean
}

describe('what is issued under a grant, in whatever order requests meet', () => {
  it('is honoured only where its issuer had seen every completed revocation, and refused only where it had not', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(plan, { minLength: 2, maxLength: 6 }),
        fc.infiniteStream(fc.nat(5)),
        async (plans, order) => {
          const { issued, ends, lives } = await played(plans, order)
          for (const one of issued) {
            const honoured = await lives(one)
            const unseen = ends.filter((end) => end.models.includes(one.model) && end.completedAt > one.lookedAt)
            if (one.endedByItself) assert.equal(honoured, false)
            else if (unseen.length === 0) assert.equal(honoured, true, `${JSON.stringify(one)} ${JSON.stringify(ends)}`)
            else if (honoured) for (const end of unseen) assertSeenAsAnother(end, one, ends)
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })
})

/**
 * An end that had not been seen may only leave a token alive where it ended nothing anew: whoever made it had looked
 * before another end of the grant, which the issuer had seen, and the two count as one.
 */
function assertSeenAsAnother(end: End, one: Issued, ends: readonly End[]): void {
  const asAnother = ends.some(
    (other) =>
      other !== end &&
      other.kind === 'destroy' &&
      other.completedAt > end.lookedAt &&
      other.completedAt <= one.lookedAt,
  )
  assert.ok(asAnother, `${JSON.stringify(one)} outlives ${JSON.stringify(end)}`)
}

/** Runs the plans, one step of one of them at a time. */
async function played(plans: readonly Plan[], order: Iterable<number>) {
  const store = new MemoryEventStore()
  const { op, middleware } = started(store)
  const grantId = newId()
  const issued: Issued[] = []
  const ends: End[] = []
  let time = 0
  await op.adapter('Grant').upsert(grantId, sample('Grant', grantId), 60)

  const request = async (steps: readonly Step[], turn: () => Promise<void>): Promise<void> => {
    let lookedAt: number | undefined
    const mine: Pick<Issued, 'id' | 'model'>[] = []
    const own: Pick<End, 'models' | 'kind'>[] = []
    await middleware(new FakeContext(), async () => {
      for (const one of steps) {
        await turn()
        if (one.kind !== 'issue') lookedAt ??= time
        const id = newId()
        if (one.kind === 'issue') mine.push({ id, model: one.model })
        else if (one.kind === 'destroy') own.push({ kind: 'destroy', models: MODELS })
        else if (one.kind === 'revoke') own.push({ kind: 'revoke', models: one.models })
        await perform(op.adapter, grantId, one, id)
      }
      await turn()
      time += 1 // what is looked at only when it commits is looked at now
      lookedAt ??= time
    })
    time += 1
    for (const { kind, models } of own) ends.push({ kind, models, lookedAt: lookedAt ?? time, completedAt: time })
    for (const one of mine) {
      const endedByItself = own.some(({ models }) => models.includes(one.model))
      issued.push({ ...one, lookedAt: lookedAt ?? time, endedByItself })
    }
  }

  const application = async (steps: readonly Step[], turn: () => Promise<void>): Promise<void> => {
    for (const one of steps) {
      await turn()
      time += 1
      const lookedAt = time
      const id = newId()
      await perform(op.adapter, grantId, one, id)
      time += 1
      if (one.kind === 'issue') {
        const { model } = one
        issued.push({ id, model, lookedAt, endedByItself: false })
      } else if (one.kind === 'destroy') ends.push({ kind: 'destroy', models: MODELS, lookedAt, completedAt: time })
      else if (one.kind === 'revoke') ends.push({ kind: 'revoke', models: one.models, lookedAt, completedAt: time })
    }
  }

  await interleaved(
    plans.map(
      ({ origin, steps }) =>
        (turn) =>
          origin === 'request' ? request(steps, turn) : application(steps, turn),
    ),
    order,
  )
  return {
    issued,
    ends,
    lives: async ({ id, model }: Issued) => (await op.adapter(model).find(id)) !== undefined,
  }
}

async function perform(adapter: AdapterFactory, grantId: string, one: Step, id: string): Promise<void> {
  if (one.kind === 'issue') await adapter(one.model).upsert(id, sample(one.model, id, { grantId }), 60)
  else if (one.kind === 'revoke') await Promise.all(one.models.map((model) => adapter(model).revokeByGrantId(grantId)))
  else if (one.kind === 'destroy') await adapter('Grant').destroy(grantId)
  else if (one.kind === 'store') await adapter('Grant').upsert(grantId, sample('Grant', grantId), 60)
  else await adapter('Grant').find(grantId)
}

/** Lets one of the runs go on at a time, up to where it asks for its next turn. */
async function interleaved(
  runs: readonly ((turn: () => Promise<void>) => Promise<void>)[],
  order: Iterable<number>,
): Promise<void> {
  const waiting: (() => void)[] = []
  let paused = (): void => {}
  const untilPaused = (start: () => void): Promise<void> =>
    new Promise((resolve) => {
      paused = resolve
      start()
    })
  const turn = (): Promise<void> =>
    new Promise((resolve) => {
      waiting.push(resolve)
      paused()
    })
  for (const run of runs) await untilPaused(() => void run(turn).then(() => paused()))
  const choices = order[Symbol.iterator]()
  while (waiting.length > 0) {
    const [next] = waiting.splice(Number(choices.next().value) % waiting.length, 1)
    if (next) await untilPaused(next)
  }
}

function started(store: MemoryEventStore): {
  readonly op: EventSourced
  readonly middleware: (ctx: RequestContext, next: () => Promise<unknown>) => Promise<void>
} {
  const op = eventSourced(store)
  let middleware: ((ctx: RequestContext, next: () => Promise<unknown>) => Promise<void>) | undefined
  void op.start({
    issuer: 'https://op.example.com',
    use: (one: typeof middleware) => {
      middleware = one
    },
    Client: { find: async () => undefined, adapter: op.adapter('Client') },
    Session: class {},
  })
  if (!middleware) throw new Error('start() gave the provider no middleware')
  return { op, middleware }
}
