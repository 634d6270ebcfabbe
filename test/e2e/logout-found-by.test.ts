import assert from 'node:assert/strict'
import { isIn } from '../../lib/log/commit.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'

/** Which events a stream finds, by their types without the prefix; each costs an entry of an index. */
const FOUND: Readonly<Record<string, readonly string[]>> = {
  'the account': ['back_channel.registered', 'back_channel.registered', 'terminated'],
  'the client that confirms': ['back_channel.registered', 'terminated'],
  'the client that refuses': ['back_channel.registered', 'terminated'],
  'another client': [],
  'the ends of the issuer': ['terminated'],
  'the dead letters of the issuer': ['back_channel.rejected'],
  'the dead letters of the client that refuses': ['back_channel.rejected'],
  'the dead letters of the client that confirms': [],
  'the ends of another issuer': [],
}

describe('the facts of a logout', () => {
  it('are found by account, client and issuer, and by nothing else', async () => {
    const scene = await LogoutScene.start({ shop: {}, mail: {} })
    scene.rps.mail.behave((_token, response) => void response.writeHead(410).end())
    const person = new Person(scene.op)
    await person.authorize('shop')
    await person.authorize('mail')
    await person.logout()
    await scene.receipt()
    const { keys } = scene.store
    const { issuer } = scene.op
    const streams: Record<string, string> = {
      'the account': keys.streams('account', 'alice')[0],
      'the client that confirms': keys.streams('client', 'shop')[0],
      'the client that refuses': keys.streams('client', 'mail')[0],
      'another client': keys.streams('client', 'news')[0],
      'the ends of the issuer': `session_logouts:${issuer}`,
      'the dead letters of the issuer': `dead_letters:${issuer}`,
      'the dead letters of the client that refuses': `dead_letters:${issuer} mail`,
      'the dead letters of the client that confirms': `dead_letters:${issuer} shop`,
      'the ends of another issuer': `session_logouts:${issuer}0`,
    }
    const events = (await scene.log()).flatMap((commit) => commit.events)
    const facts = events.filter(({ type }) => type.startsWith('session_logout.'))
    const found = Object.entries(streams).map(([name, stream]) => [
      name,
      facts.filter((event) => isIn(event, stream)).map(({ type }) => type.slice('session_logout.'.length)),
    ])
    assert.deepEqual(Object.fromEntries(found), FOUND)
    const named = new Set(facts.flatMap(({ also = [] }) => also))
    for (const stream of Object.values(streams)) named.delete(stream)
    assert.deepEqual([...named], [])
    await scene.stop()
  })
})
