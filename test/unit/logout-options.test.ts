import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { OptionInvalidError, type ProviderLike, ProviderUnfitError } from '../../lib/index.ts'
import { type BackChannelLogoutOptions, backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { hostOf } from '../support/host.ts'

describe('back-channel logout', () => {
  const MEANINGLESS: readonly (readonly [string, unknown])[] = [
    ['unknown', 1],
    ['toString', 1],
    ['enabled', 'yes'],
    ['enabled', null],
    ['development', 1],
    ['mayFilterOperators', 'rp'],
    ['mayFilterOperators', [1]],
    ['mayFilterOperators', () => true],
    ['allowInternal', 'rp'],
    ['allowInternal', [1]],
    ['allowInternal', {}],
    ['singleSessionTermination', 'yes'],
    ['singleSessionSource', '<p>'],
    ['gates', {}],
    ['network', {}],
    ['network', null],
    ['network', { post() {} }],
  ]
  for (const [option, value] of MEANINGLESS) {
    it(`refuses ${option}: ${JSON.stringify(value)}, by name`, () => {
      assert.throws(
        () => backChannelLogout({ [option]: value } as BackChannelLogoutOptions),
        (error) => error instanceof OptionInvalidError && error.option === option,
      )
    })
  }

  it('refuses options that are no object', () => {
    for (const wrong of [null, 5, 'on'])
      assert.throws(() => backChannelLogout(wrong as never), { code: 'OPTION_INVALID' })
  })

  it('refuses a policy that makes no sense, before anything starts', () => {
    assert.throws(() => backChannelLogout({ delivery: { timeoutMs: 0 } }), { option: 'delivery.timeoutMs' })
  })

  it('has no receipts before it is started', async () => {
    await assert.rejects(backChannelLogout().receipt('uid'), { code: 'PROVIDER_UNFIT' })
  })

  it('can be stopped before it was started', async () => {
    await backChannelLogout().stop()
  })

  it('does not start with a provider that works in another way, and names what is missing', async () => {
    const store = new MemoryEventStore()
    const provider = { issuer: 'https://op.example.com', use() {}, Session() {}, Client: { prototype: {} } }
    const host = hostOf(store, provider as unknown as ProviderLike, new FakeClock())
    await assert.rejects(
      backChannelLogout().start(host),
      (error) =>
        error instanceof ProviderUnfitError &&
        ['IdToken#set', 'IdToken#issue', 'Client#backchannelLogout', 'Client.find'].every((name) =>
          error.message.includes(name),
        ),
    )
    assert.deepEqual(await store.consumers.list(), [])
    await store.close()
  })
})
