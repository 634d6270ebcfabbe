import assert from 'node:assert/strict'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'

const WITHOUT_SID = { backchannel_logout_session_required: false }

describe('an RP that gets logout tokens without a sid, and was down while its user logged out and in again', () => {
  let scene: LogoutScene<'spared' | 'usual' | 'told'>

  before(async () => {
    const cast = {
      spared: { ...WITHOUT_SID, subject_type: 'pairwise', backchannel_logout_skip_superseded: true },
      usual: WITHOUT_SID,
      told: { ...WITHOUT_SID, backchannel_logout_skip_superseded: true },
    } as const
    const configuration = {
      subjectTypes: ['public', 'pairwise'] as const,
      pairwiseIdentifier: (_ctx: unknown, accountId: string) => `pairwise-${accountId}`,
    }
    scene = await LogoutScene.start<'spared' | 'usual' | 'told'>(cast, {
      configuration: configuration as never,
      logout: { delivery: { retryDelaysMs: [1] } },
    })
  })

  after(() => scene.stop())

  it('keeps the newer login where it asked for that, and loses it where it did not', async () => {
    const person = new Person(scene.op)
    for (const id of ['spared', 'usual', 'told']) await person.authorize(id)
    let loggedIn = (): void => {}
    const untilLoggedIn = new Promise<void>((resolve) => {
      loggedIn = resolve
    })
    for (const id of ['spared', 'usual', 'told'] as const) {
      scene.rps[id].behave(async (_token, response) => {
        await untilLoggedIn // the first attempt, from before the newer login
        scene.rps[id].behave((_again, later) => void later.writeHead(200).end())
        response.writeHead(503).end()
      })
    }
    await person.logout()
    await Promise.all(Object.values(scene.rps).map((rp) => rp.received(1)))
    const [uid = ''] = await scene.ended()
    for (const id of ['spared', 'usual']) await person.authorize(id) // and not at the third
    loggedIn()
    const [end] = (await scene.receiptOf(uid)).ends
    assert.deepEqual(
      end?.relyingParties.map(({ clientId, state, failureReason }) => [clientId, state, failureReason]),
      [
        ['spared', 'superseded', 'newer_login'],
        ['told', 'confirmed', undefined],
        ['usual', 'confirmed', undefined],
      ],
    )
    assert.deepEqual(
      [scene.rps.spared.tokens.length, scene.rps.told.tokens.length, scene.rps.usual.tokens.length],
      [1, 2, 2],
    )
  })
})
