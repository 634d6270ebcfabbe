import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'

/** Clients that are registered at run time: they can move, and be deleted. */
const IDS = ['moved', 'deleted', 'silent', 'stays'] as const
type Id = (typeof IDS)[number]

describe('a logout token that is tried again', () => {
  let scene: LogoutScene<never>
  let rps: Readonly<Record<Id, RelyingParty>>
  let elsewhere: RelyingParty
  let changed: () => void

  before(async () => {
    const started = await Promise.all(IDS.map((id) => startRp(id)))
    rps = Object.fromEntries(started.map((rp) => [rp.clientId, rp])) as Record<Id, RelyingParty>
    elsewhere = await startRp('moved')
    scene = await LogoutScene.start({}, { logout: { allowInternal: [...IDS], delivery: { retryDelaysMs: [1, 1, 1] } } })
    for (const id of IDS) await clients().upsert(id, rps[id].metadata)
    const untilChanged = new Promise<void>((resolve) => {
      changed = resolve
    })
    for (const rp of started) {
      rp.behave(async (_token, response) => {
        await untilChanged
        rp.behave((_again, later) => void later.writeHead(200).end())
        response.writeHead(503).end()
      })
    }
  })

  after(async () => {
    await scene.stop()
    await Promise.all([...Object.values(rps), elsewhere].map((rp) => rp.stop()))
  })

  it('is a fresh one, for the client as it is by then, and given up where the client is gone', async () => {
    const person = new Person(scene.op)
    for (const id of IDS) await person.authorize(id)
    await person.logout()
    await Promise.all(IDS.map((id) => rps[id].received(1)))
    const [uid = ''] = await scene.ended()
    await clients().upsert('moved', { ...rps.moved.metadata, backchannel_logout_uri: elsewhere.uri })
    await clients().destroy('deleted')
    const { backchannel_logout_uri: _none, ...silent } = rps.silent.metadata
    await clients().upsert('silent', silent)
    changed()

    const [end] = (await scene.receiptOf(uid)).ends
    assert.deepEqual(
      end?.relyingParties.map(({ clientId, state, attempts, failureReason }) => [
        clientId,
        state,
        attempts,
        failureReason,
      ]),
      [
        ['deleted', 'abandoned', 1, 'client_deleted'],
        ['moved', 'confirmed', 2, undefined],
        ['silent', 'abandoned', 1, 'no_uri'],
        ['stays', 'confirmed', 2, undefined],
      ],
    )
    const counts = [rps.moved, elsewhere, rps.deleted, rps.silent, rps.stays].map(({ tokens }) => tokens.length)
    assert.deepEqual(counts, [1, 1, 1, 1, 2])
    const [first, second] = await Promise.all(rps.stays.tokens.map((token) => rps.stays.verify(token, scene.op.issuer)))
    assert.deepEqual([second?.sub, second?.sid], [first?.sub, first?.sid])
    const [before, again] = rps.stays.tokens.map((token) => decodeJwt(token))
    assert.notEqual(again?.jti, before?.jti)
    assert.ok(Number(again?.iat) >= Number(before?.iat))
    assert.equal(Number(again?.exp) - Number(again?.iat), 120)
  })

  function clients(): ReturnType<LogoutScene<never>['op']['eventSourced']['adapter']> {
    return scene.op.eventSourced.adapter('Client')
  }
})
