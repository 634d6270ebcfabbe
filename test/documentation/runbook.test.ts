import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import { backChannelLogout, type DeadLetter } from '../../plugins/back-channel-logout/index.ts'
import { command } from '../support/command.ts'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { until } from '../support/log-follower.ts'
import { Person, startOp, testClient } from '../support/op.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { commandsOf } from './commands.ts'
import { root } from './snippets.ts'

/** What each of its commands may end with, beside 0: findings are no failure of the command. */
const MAY_FIND = /^(doctor|verify|logouts show|logouts parked|rekey)/

describe('the runbook', () => {
  const folder = temporaryFolder()

  it('has commands that do what they are there for, on a store with a session, a logout and a dead letter', async () => {
    const { uid, issuer } = await storeWithADeadLetter(folder.path)
    const env = { EVENTSTORE_STORE: join(folder.path, 'log'), EVENTSTORE_ISSUER: issuer }
    const runbook = await readFile(join(root, 'docs/runbook.md'), 'utf8')
    const commands = commandsOf(runbook)
    assert.ok(commands.length > 30)
    const printed = new Map<string, string>()
    for (const words of commands) {
      const args = words.map((word) =>
        word
          .replace('SESSION_UID', uid)
          .replace('$USER', 'anna')
          .replace(/^anchors-new\.txt$/, join(folder.path, 'anchors.txt')),
      )
      const line = words.join(' ')
      const { code, out, err } = await command(args, { env })
      assert.ok(code === 0 || (code === 1 && MAY_FIND.test(line)), `${line} ended with ${code}: ${out}${err}`)
      if (!printed.has(line)) printed.set(line, out + err)
    }
    assert.match(printed.get('doctor') ?? '', /DEAD_LETTERS/)
    assert.match(printed.get('logouts dead --client shop') ?? '', /shop/)
    assert.match(printed.get('logouts replay --client shop --since 7d --actor $USER --yes') ?? '', /1/)
    assert.match(printed.get('logouts show SESSION_UID') ?? '', /shop/)
    assert.match(printed.get('sessions list --account alice') ?? '', /mail/)
  })
})

/** Alice has logged out, which `shop` was not told, and has logged in again. */
async function storeWithADeadLetter(path: string): Promise<{ readonly uid: string; readonly issuer: string }> {
  await mkdir(join(path, 'log'))
  const store = await FileEventStore.open(join(path, 'log'))
  const [port, nobody] = [await portOutsideEphemeralRange(), await portOutsideEphemeralRange()]
  const issuer = `http://127.0.0.1:${port}`
  const backchannel_logout_uri = `http://127.0.0.1:${nobody}/backchannel-logout`
  const logout = backChannelLogout({ development: true, allowInternal: ['shop'], delivery: { retryDelaysMs: [] } })
  const op = await startOp(store, {
    plugins: [logout],
    clients: [testClient('shop', { backchannel_logout_uri }), testClient('mail')],
    port,
    issuer,
  })
  try {
    const alice = new Person(op)
    await alice.authorize('shop')
    await alice.logout()
    const dead: DeadLetter[] = []
    await until(async () => {
      for await (const letter of logout.deadLetters()) dead.push(letter)
      return dead.length > 0
    })
    await alice.authorize('mail')
    return { uid: dead[0]?.sessionUid ?? '', issuer }
  } finally {
    await op.stop()
    await store.close()
  }
}
