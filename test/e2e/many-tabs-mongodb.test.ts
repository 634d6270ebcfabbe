import assert from 'node:assert/strict'
import { Front } from '../support/front.ts'
import { Person, testClient, testSigningKey } from '../support/op.ts'
import { OpProcess } from '../support/op-process.ts'
import { newPlace, type PrivatePlace } from '../support/store-place.ts'

const TABS = 100
const CLIENTS = ['spa', 'spa-two', 'spa-three']

describe('many tabs of one browser that renew silently at once, at two processes on one MongoDB', () => {
  let place: PrivatePlace
  let front: Front
  let processes: OpProcess[]
  let person: Person

  before(async () => {
    place = await newPlace('mongodb')
    front = await Front.start()
    const issuer = `http://127.0.0.1:${front.port}`
    const setup = {
      place: place.place,
      issuer,
      clients: CLIENTS.map((id) => testClient(id)),
      jwks: { keys: [await testSigningKey()] },
      quicker: 1,
    }
    processes = await Promise.all([OpProcess.start(setup), OpProcess.start(setup)])
    front.leadTo(processes.map(({ port }) => port))
    person = new Person({ issuer })
    for (const clientId of CLIENTS) await person.authorize(clientId)
  })

  after(async () => {
    await Promise.all(processes.map((process) => process.kill()))
    await front.stop()
    await place.drop()
  })

  it(`gives ${TABS} of ${TABS} tabs a code, and asks none of them to repeat its request`, async () => {
    const tabs = Array.from({ length: TABS }, (_, n) => CLIENTS[n % CLIENTS.length] ?? '')
    const answers = await Promise.all(
      tabs.map((clientId) => person.agent.clone().get(person.authorizationUrl(clientId, { prompt: 'none' }))),
    )
    const seen = answers.map(({ status, headers }) => {
      const location = headers.get('location') ?? ''
      return `${status} ${location.replace(/code=[^&]+.*/, 'code')}`
    })
    assert.deepEqual([...new Set(seen)], ['303 https://rp.example.com/cb?code'])
    assert.deepEqual(
      processes.flatMap(({ complaints }) => complaints),
      [],
    )
  })
})
