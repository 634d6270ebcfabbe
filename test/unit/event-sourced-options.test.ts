import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventSourcedOptions, type EventStore, eventSourced, silent } from '../../lib/index.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'

describe('eventSourced() with what it cannot use', () => {
  const cases: readonly (readonly [what: string, store: unknown, options: unknown, message: RegExp])[] = [
    ['no store', undefined, {}, /`store` must be an EventStore: open one/],
    [
      'a store that nobody awaited',
      Promise.resolve(new MemoryEventStore()),
      {},
      /`store` .* await what open\(\) returns/,
    ],
    ['bytes that are text', new MemoryEventStore(), { heldBytes: '64 MB' }, /`heldBytes` must be a number of bytes/],
    ['a negative number of bytes', new MemoryEventStore(), { heldBytes: -1 }, /`heldBytes` must be a number of bytes/],
    ['null for options', new MemoryEventStore(), null, /`options` must be an object/],
    ['text for options', new MemoryEventStore(), 'plugins', /`options` must be an object/],
    ['an option that is not known', new MemoryEventStore(), { plugin: [] }, /`plugin` is not known; known are plugins/],
    [
      'plugins that are no list',
      new MemoryEventStore(),
      { plugins: backChannelLogout() },
      /`plugins` must be an array/,
    ],
    [
      'a plugin twice',
      new MemoryEventStore(),
      { plugins: [backChannelLogout(), backChannelLogout()] },
      /`plugins` has two plugins called "back_channel_logout"/,
    ],
    ['a logger that is a function', new MemoryEventStore(), { logger: () => {} }, /`logger` needs a method `debug`/],
    [
      'a logger without errors',
      new MemoryEventStore(),
      { logger: { ...silent, error: undefined } },
      /`logger` needs a method `error`/,
    ],
    [
      'a plugin that nobody called',
      new MemoryEventStore(),
      { plugins: [backChannelLogout] },
      /must be a plugin, as back/,
    ],
  ]
  for (const [what, store, options, message] of cases) {
    it(`refuses it, and says why: ${what}`, () => {
      const call = () => eventSourced(store as EventStore, options as EventSourcedOptions)
      assert.throws(call, { code: 'OPTION_INVALID', message })
    })
  }

  for (const configuration of [undefined, null, 'https://op.example.com']) {
    it(`refuses a configuration that is ${configuration}`, () => {
      const op = eventSourced(new MemoryEventStore(), { logger: silent })
      const call = () => op.configure(configuration as unknown as Parameters<typeof op.configure>[0])
      assert.throws(call, { code: 'OPTION_INVALID', message: /`configuration` must be given/ })
    })
  }
})
