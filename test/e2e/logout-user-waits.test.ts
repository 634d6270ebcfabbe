import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person, testClient } from '../support/op.ts'

/** Single measurements are noise. */
const ROUNDS = 15

/** What Node itself tells of its HTTP servers. */
const STARTED = 'http.server.request.start'
const FINISHED = 'http.server.response.finish'

function isConfirmation(message: unknown): boolean {
  return (message as { readonly request: IncomingMessage }).request.url === '/session/end/confirm'
}

describe('a user who logs out of five RPs that never answer', () => {
  const ids = ['1', '2', '3', '4', '5'] as const
  /** As many that are not told: all else about their logout is the same. */
  const untold = ids.map((id) => `untold-${id}`)
  let scene: LogoutScene<(typeof ids)[number]>
  let silent: ServerResponse[]
  let startedAt: number
  let tookMs: number | undefined

  const begin = (message: unknown): void => {
    if (isConfirmation(message)) startedAt = performance.now()
  }
  const end = (message: unknown): void => {
    if (isConfirmation(message)) tookMs = performance.now() - startedAt
  }

  beforeEach(async () => {
    silent = []
    scene = await LogoutScene.start(
      { '1': {}, '2': {}, '3': {}, '4': {}, '5': {} },
      { others: untold.map((id) => testClient(id)) },
    )
    for (const id of ids) scene.rps[id].behave((_token, response) => void silent.push(response))
    subscribe(STARTED, begin)
    subscribe(FINISHED, end)
  })

  afterEach(async () => {
    unsubscribe(STARTED, begin)
    unsubscribe(FINISHED, end)
    for (const id of ids) scene.rps[id].behave((_token, response) => void response.writeHead(200).end())
    for (const response of silent) response.writeHead(200).end()
    await scene.stop()
  })

  /**
   * Logs in at these RPs and out again. Returns how long the OP took from the confirmation until its answer was handed to
   * the operating system, in milliseconds. The browser and the RPs are in this process too: their time is not counted.
   */
  async function confirmMs(clients: readonly string[]): Promise<number> {
    const person = new Person(scene.op)
    for (const id of clients) await person.authorize(id)
    const page = await person.endSession()
    tookMs = undefined
    const answer = await person.confirm(page)
    assert.equal(answer.status, 303)
    assert.ok(tookMs !== undefined)
    return tookMs
  }

  it('has the answer before any of them has answered', async () => {
    await confirmMs(ids)
    for (const id of ids) await scene.rps[id].received(1)
    assert.equal(silent.length, ids.length)
    assert.ok(silent.every(({ writableEnded }) => !writableEnded))
    const [uid = ''] = await scene.ended()
    const { ends } = await scene.logout.receipt(uid)
    assert.ok(ends[0]?.relyingParties.every(({ state }) => state === 'pending'))
  })

  it('waits about as long as with none: the ratio is printed', async () => {
    const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0
    const none: number[] = []
    const quick: number[] = []
    const never: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      none.push(await confirmMs(untold))
      for (const id of ids) scene.rps[id].behave((_token, response) => void response.writeHead(200).end())
      quick.push(await confirmMs(ids))
      for (const id of ids) scene.rps[id].behave((_token, response) => void silent.push(response))
      never.push(await confirmMs(ids))
    }
    const [withNone, withQuick, withSilent] = [none, quick, never].map(median) as [number, number, number]
    const figures = [
      `${withSilent.toFixed(1)} ms with five RPs that never answer`,
      `${withQuick.toFixed(1)} ms with five that answer at once`,
      `${withNone.toFixed(1)} ms with none to tell`,
    ]
    const ratio = (withSilent / withNone).toFixed(2)
    process.stdout.write(`      confirming a logout takes ${ratio} times as long: ${figures.join(', ')}\n`)
  }).timeout(300_000)
})
