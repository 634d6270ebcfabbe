import assert from 'node:assert/strict'
import { uidOfStream } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { Front } from '../support/front.ts'
import { Person, testSigningKey } from '../support/op.ts'
import { OpProcess } from '../support/op-process.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'
import { newPlace, type PrivatePlace } from '../support/store-place.ts'

const USERS = 12

describe('an OP of two processes on one MongoDB', () => {
  let place: PrivatePlace
  let front: Front
  let rps: RelyingParty[]
  let processes: OpProcess[]
  let issuer: string

  before(async () => {
    place = await newPlace('mongodb')
    front = await Front.start()
    issuer = `http://127.0.0.1:${front.port}`
    rps = await Promise.all(['rp-one', 'rp-two'].map((id) => startRp(id)))
    const clients = rps.map(({ metadata }) => metadata)
    const jwks = { keys: [await testSigningKey()] }
    const setup = { place: place.place, issuer, clients, jwks, quicker: 1 }
    processes = await Promise.all([OpProcess.start(setup), OpProcess.start(setup)])
    front.leadTo(processes.map(({ port }) => port))
  })

  after(async () => {
    await Promise.all(processes.map((process) => process.kill()))
    await Promise.all(rps.map((rp) => rp.stop()))
    await front.stop()
    await place.drop()
  })

  /** The sessions that have ended, as this process sees them. */
  async function ended(process: OpProcess | undefined): Promise<string[]> {
    const events = (await process?.log())?.flatMap((commit) => commit.events) ?? []
    const ends = events.filter(({ type }) => type === 'session_logout.terminated')
    return ends.map(({ stream }) => uidOfStream(stream)).filter((uid) => uid !== undefined)
  }

  it('tells each RP once of each logout, whichever process a request comes to, and both show the receipts', async () => {
    const people = Array.from({ length: USERS }, () => new Person({ issuer }))
    await Promise.all(
      people.map(async (person, i) => {
        for (const { clientId } of rps) await person.authorize(clientId, { login: `user-${i}` })
        assert.equal((await person.logout()).status, 303)
      }),
    )
    const [first, second] = processes
    const uids = await ended(first)
    assert.equal(new Set(uids).size, USERS)
    assert.deepEqual(await ended(second), uids)
    for (const uid of uids) {
      const receipt = await first?.receipt(uid)
      assert.deepEqual(await second?.receipt(uid), receipt)
      assert.deepEqual(
        receipt?.ends.map(({ scope, relyingParties }) => [
          scope,
          relyingParties.map(({ state, attempts }) => [state, attempts]),
        ]),
        [['session', rps.map(() => ['confirmed', 1])]],
      )
    }
    for (const rp of rps) {
      const told = await Promise.all(rp.tokens.map((token) => rp.verify(token, issuer)))
      assert.deepEqual(told.map(({ sub }) => sub).sort(), people.map((_, i) => `user-${i}`).sort())
      assert.equal(new Set(told.map(({ sid }) => sid)).size, USERS)
    }
  })
})
