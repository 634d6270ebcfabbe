import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { Commit } from '../../lib/index.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { uidOfStream } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { Front } from '../support/front.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { type Op, Person, startOp } from '../support/op.ts'
import { fold } from '../support/session-log.ts'

const USERS = 40
const RPS = ['rp-one', 'rp-two'] as const

/** A login of a session at an RP. */
interface Login {
  readonly uid: string
  readonly clientId: string
  readonly sid: string
}

describe('the gate of back-channel logout, switched by two processes while people log in and out', () => {
  let front: Front
  let scene: LogoutScene<(typeof RPS)[number]>
  let second: Op

  beforeEach(async () => {
    front = await Front.start()
    const issuer = `http://127.0.0.1:${front.port}`
    scene = await LogoutScene.start({ 'rp-one': {}, 'rp-two': {} }, { store: new MemoryEventStore(), issuer })
    second = await startOp(scene.store, {
      issuer,
      clients: RPS.map((id) => scene.rps[id].metadata),
      plugins: [backChannelLogout({ development: true, allowInternal: RPS })],
    })
    front.leadTo([scene.op.port, second.port])
  })

  afterEach(async () => {
    await front.stop()
    await second.stop()
    await scene.stop()
  })

  it('loses no logout and invents none', async () => {
    const people = Promise.all(Array.from({ length: USERS }, (_, i) => useBoth(i)))
    const switching = switchUntil(people)
    await people
    await switching
    for (const { eventSourced } of [scene.op, second])
      await eventSourced.features.set('back_channel_logout', true, { level: 'instance', actor: 'ann' })
    await scene.quiet()

    const log = await scene.log()
    const registered = registeredIn(log)
    assert.ok(registered.length > 0, 'it was never on at a login')
    assert.ok(registered.length < USERS * RPS.length, 'it was never off at a login')
    const told = await tokens()
    // Everybody has logged out, so each login that was registered ended.
    assert.deepEqual(names(told), names(registered))
    assert.deepEqual(names(told), names(owedIn(log)))
    for (const uid of new Set(registered.map((login) => login.uid)))
      assert.ok((await scene.logout.receipt(uid)).settled)
  })

  /** Logs in at both RPs; every third one out of one alone; then out. */
  async function useBoth(i: number): Promise<void> {
    const person = new Person({ issuer: scene.op.issuer })
    for (const clientId of RPS) await person.authorize(clientId, { login: `user-${i}` })
    if (i % 3 === 0) {
      const page = await person.endSession({ client_id: 'rp-one' })
      assert.equal((await person.confirm(page, false)).status, 303)
    }
    assert.equal((await person.logout()).status, 303)
  }

  async function switchUntil(done: Promise<unknown>): Promise<void> {
    let over = false
    const end = (): void => {
      over = true
    }
    void done.then(end, end)
    for (let turn = 0; !over; turn++) {
      const { features } = (turn % 2 === 0 ? scene.op : second).eventSourced
      const level = turn % 5 === 4 ? 'system' : 'instance'
      if (turn % 7 === 6) await features.reset('back_channel_logout', { level, actor: 'ann' })
      else await features.set('back_channel_logout', turn % 4 < 2, { level, actor: 'ann' })
      for (let pause = 0; pause < 20; pause++) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async function tokens(): Promise<Omit<Login, 'uid'>[]> {
    const told = RPS.flatMap((clientId) => scene.rps[clientId].tokens.map((token) => ({ clientId, token })))
    return Promise.all(
      told.map(async ({ clientId, token }) => {
        const { sid } = await scene.rps[clientId].verify(token, scene.op.issuer)
        return { clientId, sid: String(sid) }
      }),
    )
  }
})

/** What was to be told of: as the log says, registration by registration. */
function registeredIn(log: readonly Commit[]): Login[] {
  return log
    .flatMap(({ events }) => events)
    .filter(({ type }) => type === 'session_logout.back_channel.registered')
    .map(({ stream, data }) => ({
      uid: String(uidOfStream(stream)),
      clientId: String(data['client_id']),
      sid: String(data['oidc_session_id']),
    }))
}

/** What is owed: as the fold of each session's logout says. */
function owedIn(log: readonly Commit[]): Omit<Login, 'uid'>[] {
  const uids = new Set(log.flatMap(({ events }) => events).map(({ stream }) => uidOfStream(stream)))
  return [...uids]
    .filter((uid) => uid !== undefined)
    .flatMap((uid) => fold(uid, log).terminations)
    .flatMap(({ owed }) => owed.map(({ registration: { clientId, sid } }) => ({ clientId, sid })))
}

function names(logins: readonly Omit<Login, 'uid'>[]): string[] {
  return logins.map(({ clientId, sid }) => `${clientId} ${sid}`).sort()
}
