import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RequestStorage } from '../../lib/provider/request-storage.ts'

describe('what a request runs in', () => {
  it('is there in all that the request does, and nowhere else', async () => {
    const storage = new RequestStorage<string>()
    const seen = await storage.run('a', async () => {
      await new Promise((resolve) => setImmediate(resolve))
      return storage.getStore()
    })
    assert.equal(seen, 'a')
    assert.equal(storage.getStore(), undefined)
  })

  it('is each provider’s own, though one calls the other', () => {
    const [one, other] = [new RequestStorage<string>(), new RequestStorage<string>()]
    one.run('outer', () => {
      assert.deepEqual([one.getStore(), other.getStore()], ['outer', undefined])
      other.run('inner', () => assert.deepEqual([one.getStore(), other.getStore()], ['outer', 'inner']))
      one.run('again', () => assert.equal(one.getStore(), 'again'))
      assert.equal(one.getStore(), 'outer')
    })
  })

  it('keeps nothing of earlier requests, though their contexts leak into later ones', async () => {
    const [one, other] = [new RequestStorage<WeakKey>(), new RequestStorage<WeakKey>()]
    const earlier: WeakRef<WeakKey>[] = []
    await new Promise<void>((done) => {
      const next = (left: number): void => {
        const value = { left }
        earlier.push(new WeakRef(value))
        const storage = left % 2 === 0 ? one : other
        storage.run(value, () => setImmediate(() => (left === 0 ? done() : next(left - 1))))
      }
      next(200)
    })
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    // A reference that was made in this turn is kept until its end.
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    assert.ok(earlier.filter((ref) => ref.deref() !== undefined).length < 10)
  })
})
