import assert from 'node:assert/strict'
import { Command } from 'commander'
import { dashedIdsLast } from '../../plugins/command-line/dashed-ids.ts'

const ID = '-sLBDA40X-56J9kNt4oB8yCWrTauzD66aC9f1wUinxN'

describe('dashedIdsLast()', () => {
  const program = new Command().option('--json')
  program
    .command('show')
    .argument('<uid>')
    .option('--client <id>')
    .option('--without-any-value-at-all')
    .action(() => {})
  const shown = (...args: string[]): string[] => dashedIdsLast(args, program)

  it('moves an id that begins with a dash behind the options', () => {
    assert.deepEqual(shown('show', ID, '--json'), ['show', '--json', '--', ID])
    assert.deepEqual(shown('show', `-h${ID}`), ['show', '--', `-h${ID}`])
    assert.deepEqual(shown('show', `-${ID}`), ['show', '--', `-${ID}`])
  })

  it('leaves the value of an option where it is', () => {
    assert.deepEqual(shown('show', '--client', ID, 'uid'), ['show', '--client', ID, 'uid'])
    assert.deepEqual(shown('show', '--client', '--json', ID), ['show', '--client', '--json', '--', ID])
  })

  it('leaves options alone, and those that nobody knows', () => {
    const known = ['show', 'uid', '--without-any-value-at-all']
    assert.deepEqual(shown(...known), known)
    assert.deepEqual(shown('show', '--sincee=2026-01-01T00:00:00Z', '-x'), [
      'show',
      '--sincee=2026-01-01T00:00:00Z',
      '-x',
    ])
  })

  it('leaves alone what is behind a -- already', () => {
    assert.deepEqual(shown('show', '--json', '--', '--client'), ['show', '--json', '--', '--client'])
  })

  it('is what the parser takes for the argument', async () => {
    let uid = ''
    const parser = new Command().exitOverride()
    parser
      .command('show')
      .argument('<uid>')
      .option('--client <id>')
      .action((value: string) => {
        uid = value
      })
    for (const id of [ID, `-h${ID}`, `--${ID}`]) {
      await parser.parseAsync(dashedIdsLast(['show', id, '--client', ID], parser), { from: 'user' })
      assert.equal(uid, id)
    }
  })
})
