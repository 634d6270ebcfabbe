import assert from 'node:assert/strict'
import type { WorkTable } from '../../lib/index.ts'
import { DispatchScene, says } from '../support/dispatch-scene.ts'
import { interceptReads } from '../support/reads.ts'

/** What stop() may take: the grace of what is in flight, and a little for the store. */
const MOST_MS = 12_000

describe('a dispatcher that is stopped while the database hangs', () => {
  let scene: DispatchScene
  let mend: (() => void)[]

  beforeEach(() => {
    scene = new DispatchScene()
    mend = []
  })

  afterEach(async () => {
    for (const one of mend) one()
    await scene.stop()
  })

  for (const method of ['claim', 'sweep', 'nextDueAt', 'holders', 'free', 'putBack'] as const) {
    it(`stops in time, and says that others take over: ${method}`, async () => {
      scene.client('rp', () => says(503))
      await scene.owe('rp')
      hang(method)
      const dispatcher = await scene.dispatcher()
      await scene.clock.advance(2_500) // a claim, a beat
      await stopsInTime(() => dispatcher.stop())
    })
  }

  it('stops in time while an outcome is being recorded', async () => {
    scene.client('rp')
    await scene.owe('rp')
    hangAppend()
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(0)
    await stopsInTime(() => dispatcher.stop())
    const [line] = scene.log.of(/could not be ended in time/)
    assert.deepEqual([line?.level, line?.fields['in_flight']], ['warn', 1])
  })

  it('shows no sign of life from then on, so that others take over what it held', async () => {
    scene.client('rp')
    const [uid = ''] = await scene.owe('rp')
    const mendAppend = hangAppend()
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(0)
    await stopsInTime(() => dispatcher.stop())
    mendAppend()
    await scene.dispatcher()
    await scene.clock.advance(15_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
  })

  it('sends nothing of what a late claim brings, and frees it', async () => {
    scene.client('rp')
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(0)
    const late = hang('claim')
    const [uid = ''] = await scene.owe('rp')
    await scene.clock.advance(1_000)
    const stopping = dispatcher.stop()
    await scene.clock.advance(MOST_MS)
    await stopping
    scene.on = false
    for (const one of mend) one()
    await scene.dispatcher()
    await scene.clock.advance(15_000) // from now on nobody looks for what the stopped one holds
    await late()
    await scene.clock.advance(0)
    assert.deepEqual(scene.posts, [])
    scene.on = true
    await scene.clock.advance(1_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
  })

  it('sends nothing of what it was still reading about', async () => {
    scene.client('rp')
    await scene.owe('rp')
    const work = scene.store.work('deliveries')
    await work.claim({ holder: 'dead', now: scene.clock.now(), limit: 1, perLane: 1 })
    await work.free('dead')
    let answer = (): void => {}
    interceptReads(
      scene.store,
      (_, read) =>
        new Promise((resolve, reject) => {
          answer = () => void read().then(resolve, reject)
        }),
    )
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(0)
    await stopsInTime(() => dispatcher.stop())
    answer()
    await scene.clock.advance(20_000)
    assert.deepEqual(scene.posts, [])
  })

  async function stopsInTime(stop: () => Promise<void>): Promise<void> {
    let stopped = false
    const stopping = stop().then(() => {
      stopped = true
    })
    await scene.clock.advance(MOST_MS)
    assert.ok(stopped)
    await stopping
    assert.equal(scene.log.of(/could not be ended in time/).length, 1)
  }

  function hangAppend(): () => void {
    const { append } = scene.store
    scene.store.append = () => new Promise(() => {})
    const restore = (): void => {
      scene.store.append = append
    }
    mend.push(restore)
    return restore
  }

  /** From now on the method answers no more, but when what is returned is called: then it does what it should have done. */
  function hang(method: keyof WorkTable & string): () => Promise<void> {
    const work = scene.store.work('deliveries') as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
    const before = work[method]
    if (!before) throw new Error(`no method ${method}`)
    const waiting: (() => Promise<void>)[] = []
    work[method] = (...args) =>
      new Promise((resolve, reject) => {
        waiting.push(() => before.apply(work, args).then(resolve, reject))
      })
    mend.push(() => {
      work[method] = before
    })
    return async () => {
      for (const one of waiting) await one()
    }
  }
})
