import assert from 'node:assert/strict'
import type {
  LogoutTokenReplayStore,
  ReplayEntry,
  ReplayReservation,
} from '../../plugins/back-channel-logout-receiver/index.ts'

const NOW = 4_000_000_000

/** What every {@link LogoutTokenReplayStore} has to do. `open` gives an empty store whose lease is `leaseSeconds`. */
export function logoutTokenReplayStoreContract(
  name: string,
  open: (options: { leaseSeconds: number }) => Promise<LogoutTokenReplayStore>,
): void {
  describe(`${name}, as a replay store`, () => {
    let store: LogoutTokenReplayStore

    beforeEach(async () => {
      store = await open({ leaseSeconds: 60 })
    })

    it('lets exactly one of 32 concurrent calls have a token', async () => {
      const all = await Promise.all(Array.from({ length: 32 }, () => store.reserve(entry())))
      assert.deepEqual(count(all), { reserved: 1, in_progress: 31 })
    })

    it('tells apart jtis and issuers, also where their texts run together', async () => {
      const entries = [
        entry(),
        entry({ jti: 'b' }),
        entry({ issuer: 'https://other.example' }),
        entry({ issuer: 'x', jti: 'yz' }),
        entry({ issuer: 'xy', jti: 'z' }),
        entry({ jti: '$where.a' }),
        entry({ jti: '__proto__' }),
      ]
      for (const one of entries) await reserved(store, one)
    })

    it('takes a released token again', async () => {
      await (await reserved(store, entry())).release()
      await reserved(store, entry())
    })

    it('takes a committed token never again while it lives', async () => {
      await (await reserved(store, entry())).commit()
      assert.equal((await store.reserve(entry())).outcome, 'used')
      assert.equal((await store.reserve(entry({ now: NOW + 119 }))).outcome, 'used')
    })

    it('keeps a committed token though it is released after that', async () => {
      const mine = await reserved(store, entry())
      await mine.commit()
      await mine.release()
      assert.equal((await store.reserve(entry())).outcome, 'used')
    })

    it('gives a token whose holder never came back to the next one, after the lease', async () => {
      await reserved(store, entry())
      assert.equal((await store.reserve(entry({ now: NOW + 59 }))).outcome, 'in_progress')
      await reserved(store, entry({ now: NOW + 60 }))
    })

    it('does not let a late holder release or commit what belongs to the next one', async () => {
      const late = await reserved(store, entry())
      const next = await reserved(store, entry({ now: NOW + 60 }))
      await late.release()
      assert.equal((await store.reserve(entry({ now: NOW + 61 }))).outcome, 'in_progress')
      await late.commit()
      await next.release()
      await reserved(store, entry({ now: NOW + 62 }))
    })
  })
}

function entry(changes: Partial<ReplayEntry> = {}): ReplayEntry {
  return { issuer: 'https://op.example', jti: 'a', now: NOW, expiresAt: NOW + 120, ...changes }
}

async function reserved(
  store: LogoutTokenReplayStore,
  one: ReplayEntry,
): Promise<Extract<ReplayReservation, { outcome: 'reserved' }>> {
  const reservation = await store.reserve(one)
  assert.equal(reservation.outcome, 'reserved')
  return reservation
}

function count(reservations: readonly ReplayReservation[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { outcome } of reservations) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}
