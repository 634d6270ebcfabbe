import assert from 'node:assert/strict'
import fc from 'fast-check'
import { foldRecord, type LocatedEvent } from '../../lib/provider/model-record.ts'
import { writerOf } from '../../lib/provider/moved-state.ts'

type Data = LocatedEvent['event']['data']

let position = 0
function located(type: string, data: Data = {}): LocatedEvent {
  position += 1
  const event = { stream: 'Grant:x', type, data: { model: 'Grant', ...data } }
  return { event, commit: { id: `c${position}`, position, at: 0, meta: {}, events: [event] } }
}

const MOVED = { moved: true }

describe('a state that was taken over', () => {
  it('never follows a state of the same generation that the OP has stored itself, wherever the two lie', () => {
    const moves = fc.constantFrom('moved', 'own', 'consumed')
    fc.assert(
      fc.property(fc.array(moves, { minLength: 1, maxLength: 12 }), (kinds) => {
        const history = kinds.map((kind) =>
          kind === 'consumed' ? located('consumed', { at: 7 }) : located('stored', kind === 'moved' ? MOVED : {}),
        )
        const { stored, consumedAt } = foldRecord(history)
        const [lastOwn, lastMoved] = [kinds.lastIndexOf('own'), kinds.lastIndexOf('moved')]
        assert.equal(stored, lastOwn >= 0 ? history[lastOwn] : history[lastMoved])
        assert.equal(consumedAt, kinds.includes('consumed') ? 7 : undefined)
      }),
    )
  })

  it('is the mover’s for as long as nobody else has written, used, ended or revoked anything of it', () => {
    const rows: readonly [string, string, readonly LocatedEvent[]][] = [
      ['nothing', 'nobody', []],
      ['taken over', 'mover', [located('stored', MOVED)]],
      ['taken over twice', 'mover', [located('stored', MOVED), located('stored', MOVED)]],
      ['taken over as used', 'mover', [located('stored', { ...MOVED, consumed: 7 })]],
      ['taken over, and gone from the source', 'mover', [located('stored', MOVED), located('destroyed', MOVED)]],
      ['stored by the OP', 'op', [located('stored')]],
      ['taken over, and stored by the OP', 'op', [located('stored', MOVED), located('stored')]],
      ['stored by the OP, and taken over late', 'op', [located('stored'), located('stored', MOVED)]],
      ['taken over, and used at the OP', 'op', [located('stored', MOVED), located('consumed', { at: 7 })]],
      ['taken over, and ended by the OP', 'op', [located('stored', MOVED), located('destroyed')]],
      ['ended before it was taken over', 'op', [located('destroyed')]],
      [
        'taken over, and revoked under',
        'op',
        [located('stored', MOVED), located('revoked', { models: ['AccessToken'] })],
      ],
    ]
    for (const [what, writer, history] of rows) assert.equal(writerOf(foldRecord(history)), writer, what)
  })
})
