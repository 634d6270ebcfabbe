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
      other.run('inner', () =>
        one.run('again', () => assert.deepEqual([one.getStore(), other.getStore()], ['again', 'inner'])),
      )
      assert.equal(one.getStore(), 'outer')
    })
  })

  it('keeps nothing of earlier requests, though their contexts leak into later ones', async () => {
    const [one, other] = [new RequestStorage<WeakKey>(), new RequestStorage<WeakKey>()]
    const earlier: WeakRef<WeakKey>[] = []
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const aliveAfterAll = (): number => {
      collect()
      return earlier.filter((ref) => ref.deref() !== undefined).length
    }
    const left = await new Promise<number>((done) => {
      const request = (more: number): void => {
        const value = {}
        earlier.push(new WeakRef(value))
        const storage = more % 2 === 0 ? one : other
        storage.run(value, () =>
          setImmediate(() => {
            if (more > 0) request(more - 1)
            // In the context of the last one; a turn later, since what was made in this one is kept until its end.
            else setImmediate(() => setImmediate(() => done(aliveAfterAll())))
          }),
        )
      }
      request(200)
    })
    assert.ok(left < 10, `${left} of 201 are kept`)
  })
})
