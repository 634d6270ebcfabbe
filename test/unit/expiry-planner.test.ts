import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  type Commit,
  KeyUnknownError,
  type NewWork,
  SealBrokenError,
  type SessionState,
  type SessionTerminator,
} from '../../lib/index.ts'
import { ExpiryPlanner } from '../../plugins/back-channel-logout/ending/expiry.ts'
import { NOTE } from '../../plugins/back-channel-logout/recording/logins.ts'

const OP = 'https://op.example.com'
const MINUTE = 60_000

describe('planning looks at what may have expired', () => {
  /** The session's writes, as commits at the position of their number; 0 cannot be read. */
  let expiries: number[]
  let unreadable: Error
  let told: string[]
  let planner: ExpiryPlanner
  /** The looks that are to come, by id; looked at, they are gone. */
  let open: Map<string, NewWork>

  beforeEach(() => {
    expiries = []
    told = []
    open = new Map()
    planner = new ExpiryPlanner(endings as SessionTerminator, 0, {
      ...silent,
      warn: (_, message) => told.push(message),
    })
  })

  it('makes one look at a time at a session that is written each five minutes for a day', async () => {
    let made = 0
    for (let now = 0; now < 24 * 60 * MINUTE; now += 5 * MINUTE) {
      write(now + 60 * MINUTE)
      made += await planned(now)
      lookedAt(now)
      assert.equal(open.size, 1, `after ${now / MINUTE} minutes`)
    }
    assert.equal(made, 1, 'the others follow from it')
  })

  it('misses no expiry, wherever it moves, however late the planner is', async () => {
    const step = fc.record({
      passes: fc.integer({ min: 0, max: 50 }),
      lifetime: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
      plans: fc.boolean(),
      stores: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        expiries = []
        open = new Map()
        planner = new ExpiryPlanner(endings as SessionTerminator, 0, silent)
        let unplanned = 0
        let now = 0
        for (const { passes, lifetime, plans, stores } of steps) {
          for (let second = 0; second < passes; second++) lookedAt(++now * 1_000)
          if (lifetime !== undefined) unplanned += write((now + lifetime) * 1_000)
          if (!plans || unplanned === 0) continue
          const { looks, remember } = await planner.plan(commits(unplanned), now * 1_000, OP)
          if (!stores) continue // the table was away: the batch comes again
          add(looks)
          remember()
          unplanned = 0
          const expiry = Number(expiries.at(-1))
          assert.ok(
            expiry <= now * 1_000 || [...open.values()].some(({ dueAt }) => dueAt <= expiry),
            `no look by ${expiry}: ${[...open.keys()]}`,
          )
        }
      }),
      { numRuns: 2_000, seed: 20_261_124 },
    )
  })

  it('makes a look of its own for the issuer that the provider has since', async () => {
    write(60 * MINUTE)
    await planned(0)
    write(90 * MINUTE)
    const [moved] = commits(1)
    const { looks } = await planner.plan(
      [{ ...commit, ...moved, meta: { instance: 'https://new.example.com' } }],
      0,
      OP,
    )
    assert.deepEqual(
      looks.map(({ lane, dueAt }) => [lane, dueAt]),
      [['https://new.example.com expiry', 90 * MINUTE]],
    )
  })

  for (const error of [new KeyUnknownError('sealed with a key that is gone'), new SealBrokenError('a session')]) {
    it(`goes on past a session that cannot be read: ${error.code}`, async () => {
      unreadable = error
      write(0)
      write(60 * MINUTE)
      assert.equal((await planner.plan(commits(2), 0, OP)).looks.length, 1)
      assert.equal(told.length, 1)
    })
  }

  it('fails on whatever else is wrong: then it is planned again, and nothing is passed over', async () => {
    unreadable = new TypeError('a mistake')
    write(0)
    await assert.rejects(() => planner.plan(commits(1), 0, OP), unreadable)
  })

  const endings: Pick<SessionTerminator, 'loggedInBy'> = {
    async loggedInBy({ position }): Promise<SessionState[]> {
      const expiry = Number(expiries[position])
      if (expiry === 0) throw unreadable
      const note = { of: 'these sids', are: 'R' }
      const payload = { exp: expiry / 1_000 }
      return [{ uid: 'uid', payload, note: (name) => (name === NOTE ? note : undefined), commit: String(position) }]
    },
  }

  function write(expiry: number): number {
    return expiries.push(expiry) && 1
  }

  /** The newest commits. */
  function commits(count: number): Commit[] {
    const first = expiries.length - count
    return Array.from({ length: count }, (_, index) => ({ ...commit, position: first + index }))
  }

  async function planned(now: number): Promise<number> {
    const { looks, remember } = await planner.plan(commits(1), now, OP)
    add(looks)
    remember()
    return looks.length
  }

  function add(looks: readonly NewWork[]): void {
    for (const look of looks) open.set(look.id, look)
  }

  /** Does what a look does: the session has expired, or another look follows. */
  function lookedAt(now: number): void {
    const expiry = Number(expiries.at(-1))
    for (const [id, look] of open) {
      if (look.dueAt > now) continue
      open.delete(id)
      if (expiry > now) open.set(`expiry/uid@${expiry}`, { ...look, id: `expiry/uid@${expiry}`, dueAt: expiry })
    }
  }

  const commit: Commit = { id: 'commit', position: 0, at: 0, events: [], meta: { instance: OP } }
  const silent = { debug() {}, info() {}, warn() {}, error() {} }
})
