import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import { systemClock } from '../../lib/index.ts'
import { SEGMENT } from '../../lib/verify/segments.ts'
import { type CommandResult, command } from '../support/command.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

describe('`verify`', () => {
  const folder = temporaryFolder()
  let file: string

  const env = (): Record<string, string> => ({ EVENTSTORE_STORE: join(folder.path, 'log') })
  const cli = (...args: string[]): Promise<CommandResult> => command(args, { env: env() })

  beforeEach('a log of more than one segment', async () => {
    file = join(folder.path, 'file')
    const store = await FileEventStore.open(join(folder.path, 'log'))
    const event = { stream: 'Thing:a', type: 'stored', data: {} }
    await Promise.all(Array.from({ length: SEGMENT + 10 }, () => store.append({ events: [event] })))
    await store.close()
  })

  it('is used wrongly where a folder is named instead of a file', async () => {
    await mkdir(file)
    for (const option of ['--anchor', '--state', '--anchor-key']) {
      const { code, err } = await cli('verify', option, file)
      assert.deepEqual([code, err], [2, `${file} cannot be read: EISDIR\n`], option)
    }
  })

  describe('with a file of its state', () => {
    /** What an interrupted run leaves. */
    async function interrupted(): Promise<string> {
      const { code, err } = await command(['verify', '--state', file], { env: env(), signal: AbortSignal.abort() })
      assert.equal(code, 4, err)
      return readFile(file, 'utf8')
    }

    it('begins anew where whoever made it was killed before its first line was whole', async () => {
      const [header = ''] = (await interrupted()).split('\n')
      for (const length of [0, 1, header.length >> 1, header.length]) {
        await writeFile(file, header.slice(0, length))
        assert.match(await interrupted(), new RegExp(`^${header}\n{"resume":.*}\n$`))
        const { code, out, err } = await cli('verify', '--state', file)
        assert.deepEqual([code, existsSync(file)], [0, false], err)
        assert.match(out, /^No fault in 1010 commits/)
      }
    })

    it('refuses one that is damaged, says where, and leaves it as it is', async () => {
      const [header = '', last = ''] = (await interrupted()).split('\n')
      const { resume } = JSON.parse(last) as { resume: Record<string, unknown> }
      const fault = { code: 'COMMIT_FORGED', position: 1, what: 'was found' }
      for (const line of [
        'rubbish',
        '5',
        'null',
        '[]',
        '{}',
        '{"fault":null}',
        ...[
          { ...resume, byCode: undefined },
          { ...resume, byCode: { COMMIT_FORGED: 'many' } },
          { ...resume, at: -1 },
        ].map((one) => JSON.stringify({ resume: one })),
        JSON.stringify({ fault: { ...fault, position: undefined } }),
      ]) {
        const text = `${header}\n${JSON.stringify({ fault })}\n${line}\n${last}\n`
        await writeFile(file, text)
        const { code, out, err } = await cli('verify', '--state', file)
        assert.deepEqual([code, out, err], [2, '', `${file} is damaged at line 3: remove it, and begin anew\n`], line)
        assert.equal(await readFile(file, 'utf8'), text)
      }
    })
  })

  describe('with a file of anchors', () => {
    beforeEach(async () => {
      assert.equal((await cli('anchor', '--out', file)).code, 0)
    })

    it('takes it again once an anchor was added behind one that was not written to its end', async () => {
      await appendFile(file, (await readFile(file, 'utf8')).slice(0, 100))
      const cut = await cli('verify', '--anchor', file)
      assert.equal(cut.code, 2)
      assert.match(cut.err, /ANCHOR_INVALID.*, line 2: .*remove that line/)
      assert.equal((await cli('anchor', '--out', file)).code, 0)
      const { code, out, err } = await cli('verify', '--anchor', file)
      assert.equal(code, 0, err)
      assert.match(out, /2 anchors were compared/)
    })

    it('tells what it has found before it refuses one that has become unusable, and loses nothing of its state', async () => {
      const state = join(folder.path, 'state')
      const usable = await readFile(file, 'utf8')
      // It is asked when how far it has got is written down, after the first segment.
      const monotonic = (): number => {
        writeFileSync(file, `${usable}rubbish\n`)
        return systemClock.monotonic()
      }
      const args = ['verify', '--anchor', file, '--state', state, '--json']
      const { code, json, err } = await command(args, { env: env(), clock: { ...systemClock, monotonic } })
      assert.deepEqual([code, (JSON.parse(err) as { error: string }).error], [2, 'ANCHOR_INVALID'])
      const { commits, anchors } = json.at(-1) as { commits: number; anchors: number }
      assert.deepEqual([commits, anchors], [SEGMENT + 10, 1])
      await writeFile(file, usable)
      const again = await cli(...args.slice(0, -1))
      assert.equal(again.code, 0)
      assert.match(again.err, new RegExp(`goes on behind #${SEGMENT}`))
    })
  })
})
