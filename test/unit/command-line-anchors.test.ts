import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { makeAnchor, systemClock } from '../../lib/index.ts'
import { appendAnchor } from '../../plugins/command-line/anchors.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

describe('appendAnchor()', () => {
  const folder = temporaryFolder()
  const store = new MemoryEventStore()
  const { privateKey } = generateKeyPairSync('ed25519')
  const keyPair = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

  async function appended(text: string): Promise<string> {
    const file = join(folder.path, 'anchors')
    await writeFile(file, text)
    await appendAnchor(file, 'added')
    return readFile(file, 'utf8')
  }

  for (const [name, options] of [
    ["signed with the store's keys", {}],
    ['signed with a key pair', { key: keyPair }],
  ] as const) {
    it(`cuts off the beginning of an anchor, ${name}, and keeps one that only has no line feed`, async () => {
      const { jws } = await makeAnchor({ store, clock: systemClock }, options)
      for (let length = 0; length < jws.length; length++)
        assert.equal(await appended(`${jws}\n${jws.slice(0, length)}`), `${jws}\nadded\n`)
      assert.equal(await appended(jws.slice(0, -1)), 'added\n')
      assert.equal(await appended(`${jws}\n${jws}`), `${jws}\n${jws}\nadded\n`)
      assert.equal(await appended(jws), `${jws}\nadded\n`)
      assert.equal(await appended(`${jws}\r`), `${jws}\r\nadded\n`)
    })
  }

  it('keeps a last line that is no anchor', async () => {
    for (const text of ['precious', 'one\nprécieux', 'x'.repeat(100_000)])
      assert.equal(await appended(text), `${text}\nadded\n`)
    assert.equal(await appended('\n'), '\nadded\n')
  })
})
