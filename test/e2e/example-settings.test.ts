import assert from 'node:assert/strict'
import { readSettings } from '../../example/settings.ts'
import { StartupError } from '../../example/startup-error.ts'

const VARIABLES = [
  'OP_PORT',
  'RP_ONE_PORT',
  'RP_TWO_PORT',
  'START',
  'RP_ONE',
  'RP_TWO',
  'RETRY_DELAYS',
  'STATE_FOLDER',
  'MONGODB_URI',
  'MONGODB_DATABASE',
  'OP_KEYS',
  'LOG_LEVEL',
]

describe('the settings of the example', () => {
  it('are the usual ones where nothing is set, or set to nothing', () => {
    const usual = readSettings({})
    assert.deepEqual(readSettings(Object.fromEntries(VARIABLES.map((name) => [name, '']))), usual)
    assert.equal(usual.mongodb, undefined)
    assert.deepEqual([...usual.start], ['op', 'rp-one', 'rp-two'])
    assert.deepEqual(usual.retryDelaysMs.slice(0, 3), [2_000, 4_000, 8_000])
  })

  it('let either RP play dead', () => {
    assert.deepEqual([...readSettings({ RP_ONE: 'down' }).down], ['rp-one'])
    assert.deepEqual([...readSettings({ RP_ONE: 'up', RP_TWO: 'down' }).down], ['rp-two'])
    assert.deepEqual([...readSettings({ RP_ONE: 'down', RP_TWO: 'down' }).down], ['rp-one', 'rp-two'])
  })

  it('take seconds between attempts', () => {
    assert.deepEqual(readSettings({ RETRY_DELAYS: '0.5, 60' }).retryDelaysMs, [500, 60_000])
  })

  it('name the variable whose value cannot be meant, and what it takes', () => {
    const uri = { MONGODB_URI: 'mongodb://127.0.0.1' }
    const refused: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{ OP_PORT: 'many' }, /^OP_PORT is "many": it must be a port, from 1 to 65535$/],
      [{ METRICS_PORT: '65536' }, /^METRICS_PORT is "65536": it must be a port/],
      [{ RP_TWO_PORT: '0' }, /^RP_TWO_PORT is "0": it must be a port/],
      [{ START: 'op,rp-three' }, /^START knows op, rp-one, rp-two, not "rp-three"$/],
      [{ RP_ONE: 'dead' }, /^RP_ONE knows up, down, not "dead"$/],
      [{ RP_TWO: 'dead' }, /^RP_TWO knows up, down, not "dead"$/],
      [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL knows .*, not "loud"$/],
      ...['soon', '1,', '-1', '86401'].map(
        (delays) => [{ RETRY_DELAYS: delays }, /^RETRY_DELAYS is ".*": it must be seconds/] as const,
      ),
      ...['a b', 'a.b', 'a/b', 'a\\b', 'a$b', 'a\0b', 'x'.repeat(64), 'ü'.repeat(32)].map(
        (name) =>
          [{ ...uri, MONGODB_DATABASE: name }, /^MONGODB_DATABASE is "[\s\S]*": .*shorter than 64 bytes/] as const,
      ),
    ]
    for (const [environment, message] of refused) {
      assert.throws(
        () => readSettings(environment),
        (error: unknown) => error instanceof StartupError && message.test(error.message),
        JSON.stringify(environment),
      )
    }
    const longest = 'x'.repeat(63)
    assert.equal(readSettings({ ...uri, MONGODB_DATABASE: longest }).mongodb?.database, longest)
  })
})
