import assert from 'node:assert/strict'
import { assertKnown } from '../../plugins/back-channel-logout/recording/criteria.ts'

describe('criteria and options of a call', () => {
  for (const given of [undefined, null, 'shop', 42]) {
    it(`are refused where ${JSON.stringify(given) ?? 'nothing'} is given, with the object that is wanted`, () => {
      const call = () => assertKnown(given as unknown as object, ['client', 'since'])
      assert.throws(call, { code: 'OPTION_INVALID', message: /must be given in an object: \{ client, since \}$/ })
    })
  }

  it('are refused where one of them is not known, and those that are known are named', () => {
    const call = () => assertKnown({ clientId: 'shop' }, ['client', 'since'])
    assert.throws(call, { code: 'OPTION_INVALID', message: /`clientId` is not known; known are client, since$/ })
  })
})
