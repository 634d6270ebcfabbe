import assert from 'node:assert/strict'
import fc from 'fast-check'
import { withoutRepeatedParams, withRepeatedParams } from '../../lib/provider/interaction-payload.ts'

describe('the parameters that an interaction holds twice', () => {
  const LONG = 'x'.repeat(1_000)
  const payload = {
    uid: 'u',
    params: { login_hint: LONG, claims: '{}', max_age: 5, scope: 'openid' },
    prompt: {
      name: 'login',
      reasons: ['login_prompt'],
      details: { login_hint: LONG, claims: '{"a":1}', max_age: 5, ours: 1 },
    },
  }

  it('are left out of the details where they are the same text, and nothing else is', () => {
    const { payload: left, repeated } = withoutRepeatedParams(payload)
    assert.deepEqual(repeated, ['login_hint'])
    const details = { claims: '{"a":1}', max_age: 5, ours: 1 }
    assert.deepEqual(left, { ...payload, prompt: { ...payload.prompt, details } })
  })

  it('come back as they were, whatever an interaction holds', () => {
    const name = fc.constantFrom('login_hint', 'claims', '__proto__', 'toString', 'scope')
    const texts = fc.dictionary(name, fc.oneof(fc.constantFrom('a', 'b'), fc.integer(), fc.constant(null)))
    const interaction = fc.record(
      {
        params: texts,
        prompt: fc.oneof(
          fc.record({ name: fc.string(), details: texts }, { requiredKeys: [] }),
          fc.constantFrom(null, 'login', []),
        ),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(interaction, (made) => {
        const given = JSON.parse(JSON.stringify(made)) // as it is stored
        const { payload: left, repeated } = withoutRepeatedParams(given)
        assert.deepEqual(withRepeatedParams(left, repeated), given)
      }),
    )
  })
})
