import assert from 'node:assert/strict'
import type { JsonObject, Payload } from '../../lib/index.ts'
import {
  fromNote,
  hasRegistered,
  type KnownLogin,
  loginsOf,
  NOTE,
  recordedLogins,
  toNote,
} from '../../plugins/back-channel-logout/recording/logins.ts'

const payloadOf = (authorizations: unknown): Payload => ({ accountId: 'alice', authorizations }) as Payload
const PAYLOAD = payloadOf({ b: { sid: '2' }, a: { sid: '1' }, c: { sid: '3' }, d: { sid: '4' } })
const KNOWN: ReadonlyMap<string, KnownLogin> = new Map([
  ['1', { registered: true, includeSid: true }],
  ['2', { registered: true, includeSid: false }],
  ['3', { registered: false, includeSid: true }],
])

describe('the logins of a session', () => {
  it('are those with a sid', () => {
    const odd = { a: { sid: 's' }, started: {}, none: null, text: 'x', number: { sid: 1 } }
    assert.deepEqual(loginsOf(payloadOf(odd)), [{ clientId: 'a', sid: 's' }])
    for (const nothing of [undefined, null, 'x']) assert.deepEqual(loginsOf(payloadOf(nothing)), [])
    assert.deepEqual(loginsOf(undefined), [])
  })

  it('are remembered by one letter each, in the order of the sids', () => {
    const note = toNote(KNOWN, PAYLOAD)
    assert.equal(note['are'], 'RBrb')
    assert.deepEqual(fromNote(note, PAYLOAD), new Map([...KNOWN, ['4', { registered: false, includeSid: false }]]))
  })

  it('are not those of a note that was made for others', () => {
    const note = toNote(KNOWN, PAYLOAD)
    const fewer = payloadOf({ a: { sid: '1' }, b: { sid: '2' }, c: { sid: '3' } })
    const others = payloadOf({ a: { sid: '1' }, b: { sid: '2' }, c: { sid: '3' }, d: { sid: '5' } })
    for (const payload of [fewer, others, payloadOf({}), undefined]) assert.equal(fromNote(note, payload).size, 0)
    assert.equal(fromNote(undefined, PAYLOAD).size, 0)
  })

  it('whose end is recorded are all while the feature is on, and else those that are registered', () => {
    const session = { payload: PAYLOAD, note: (name: string) => (name === NOTE ? toNote(KNOWN, PAYLOAD) : undefined) }
    const sids = (isOn: boolean): string[] => recordedLogins(session, isOn).map(({ sid }) => sid)
    assert.deepEqual(sids(true).sort(), ['1', '2', '3', '4'])
    assert.deepEqual(sids(false).sort(), ['1', '2'])
  })

  it('are registered, some of them, where the note says so of any', () => {
    const has = (note: JsonObject | undefined): boolean => hasRegistered({ note: () => note })
    assert.equal(has(toNote(KNOWN, PAYLOAD)), true)
    assert.equal(has(toNote(new Map(), PAYLOAD)), false)
    assert.equal(has(toNote(new Map([['1', { registered: true, includeSid: false }]]), PAYLOAD)), true)
    assert.equal(has(undefined), false)
  })
})
