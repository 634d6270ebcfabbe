import assert from 'node:assert/strict'
import { FileEventStore } from '../../adapters/file/index.ts'
import { ephemeralKeys } from '../../lib/index.ts'
import { type CommandResult, command } from '../support/command.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const ISSUER = 'https://op.example.com'

describe('the command line that is told an issuer', () => {
  const folder = temporaryFolder()

  const cli = (issuer: string, ...args: string[]): Promise<CommandResult> =>
    command(args, { env: { EVENTSTORE_STORE: folder.path, EVENTSTORE_ISSUER: issuer } })

  async function append(count: number, instance?: string): Promise<void> {
    const store = await FileEventStore.open(folder.path)
    const event = { stream: 'Thing:a', type: 'stored', data: {} }
    for (let n = 0; n < count; n++)
      await store.append({ events: [event], ...(instance !== undefined && { meta: { instance } }) })
    await store.close()
  }

  it('refuses one of which nothing is in the log, and names those that are in it', async () => {
    await append(1, ISSUER)
    for (const args of [
      ['doctor'],
      ['sessions', 'list', '--account', 'alice'],
      ['logouts', 'list'],
      ['features'],
      ['forget', 'alice', '--actor', 'anna', '--no-logout', '--settle', '0', '--yes'],
      ['sessions', 'end', '--account', 'alice', '--actor', 'anna', '--yes'],
    ]) {
      for (const issuer of [`${ISSUER}/`, 'http://op.example.com', 'https://op.example.com/oidc']) {
        const { code, err } = await cli(issuer, ...args)
        assert.equal(code, 2, args.join(' '))
        assert.ok(err.includes(`of the issuer ${issuer}`) && err.includes(`is of ${ISSUER}`), err)
      }
      assert.notEqual((await cli(ISSUER, ...args)).code, 2, args.join(' '))
    }
    assert.equal((await cli(`${ISSUER}/`, 'status')).code, 0) // it is about no issuer
  })

  it('takes any for a log that is nobody’s yet, and one that was quiet while another was not', async () => {
    await append(1)
    assert.equal((await cli(ISSUER, 'logouts', 'list')).code, 0)
    const store = await FileEventStore.open(folder.path)
    const also = [`session_logouts:${ISSUER}`]
    await store.append({ events: [{ stream: 'x', also, type: 'stored', data: {} }], meta: { instance: ISSUER } })
    const others = Array.from({ length: 2_001 }, () => ({ stream: 'Thing:a', type: 'stored', data: {} }))
    await Promise.all(others.map((one) => store.append({ events: [one], meta: { instance: 'https://other' } })))
    await store.close()
    assert.equal((await cli(ISSUER, 'logouts', 'list')).code, 0)
    assert.equal((await cli('https://third', 'logouts', 'list')).code, 2)
  })
})

describe('the command line that is told a store', () => {
  it('prints nothing of an address that is mistyped: it may hold a password', async () => {
    for (const place of [
      ' "mongodb://op:secret@db/op',
      'mongodb:/op:secret@db/op',
      'mongodb//op:secret@db/op',
      'op:secret@db/op',
      'postgres://op:secret@db/op',
    ]) {
      for (const args of [['status'], ['status', '--json']]) {
        const { code, out, err } = await command(args, { env: { EVENTSTORE_STORE: place } })
        assert.equal(code, 2)
        assert.doesNotMatch(out + err, /secret/)
      }
    }
  })

  it('takes one with the quotes that a file of environment variables leaves around it', async () => {
    for (const quote of ['"', "'"]) {
      const uri = 'mongodb://127.0.0.1:1/op?serverSelectionTimeoutMS=10'
      const env = { EVENTSTORE_STORE: ` ${quote}${uri}${quote} `, EVENTSTORE_KEYS: JSON.stringify(ephemeralKeys()) }
      assert.equal((await command(['status'], { env })).code, 3) // there is no server
    }
  })
})
