import assert from 'node:assert/strict'

import { generateSecret, type Key } from '../../lib/secrets/key-ring.ts'
import { rejectsWith } from './event-store/expect.ts'

/** Opens one and the same empty log with these keys, and closes it again. */
type OpenWith = (sealing: readonly Key[], retired?: readonly string[]) => Promise<void>

/** A log remembers which keys have sealed what is in it. */
export function sealingKeysContract(openWith: OpenWith): void {
  describe('sealing keys', () => {
    const key = (id: string): Key => ({ id, secret: generateSecret() })
    const [one, two] = [key('one'), key('two')]

    it('answers KEY_UNKNOWN to one whose id stands for another secret now, at the first place or behind it', async () => {
      await openWith([one])
      for (const sealing of [[key('one')], [two, key('one')]]) {
        const error = await rejectsWith('KEY_UNKNOWN', () => openWith(sealing))
        assert.match(error.message, /"one" is not the one/)
      }
      await openWith([one])
    })

    it('answers KEY_UNKNOWN while one that it was written with is missing, and says what to do', async () => {
      await openWith([one])
      await openWith([two, one])
      const error = await rejectsWith('KEY_UNKNOWN', () => openWith([two]))
      assert.match(error.message, /"one".*keys.retired/)
      await rejectsWith('KEY_UNKNOWN', () => openWith([one]))
    })

    it('opens without one that is retired, from then on without being told so again', async () => {
      await openWith([one])
      await openWith([two, one])
      await openWith([two], ['one'])
      await openWith([two])
      await openWith([two], ['one'])
    })

    it('does not remember one that never sealed: it may go as it came', async () => {
      await openWith([one, two])
      await openWith([one])
      await openWith([one, key('two')])
    })

    it('answers KEYS_INVALID to one that is retired and configured, and to ids that are none', async () => {
      await rejectsWith('KEYS_INVALID', () => openWith([one], ['one']))
      await rejectsWith('KEYS_INVALID', () => openWith([one], [1 as never]))
    })
  })
}
