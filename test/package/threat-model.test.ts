import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = readFileSync(join(root, 'docs/threat-model.md'), 'utf8')

/** A row: `| id | STRIDE | threat | against | left | shown by |`. */
interface Threat {
  readonly id: string
  readonly kinds: string
  readonly cells: readonly string[]
  readonly shownBy: string
}

const threats = text
  .split('\n')
  .filter((line) => /^\| T-/.test(line))
  .map((line): Threat => {
    const [id = '', kinds = '', ...cells] = line.slice(2, -2).split(' | ')
    return { id, kinds, cells, shownBy: cells.at(-1) ?? '' }
  })

/** `test/some.test.ts`: “a part of a title”: long enough to name one. */
const TEST = /`(test\/[\w./-]+\.ts)`: “([^”]{15,})”/g
const ACCEPTED = /^accepted: (.{40,})$/

function partOf({ id }: Threat): string {
  return id.replace(/-\d+$/, '')
}

/** The titles of a file's suites and tests, as they stand in its source. */
function titlesIn(file: string): string[] {
  const source = readFileSync(join(root, file), 'utf8')
  const titles = source.matchAll(/\b(?:describe|it)\(\s*(`[^`]*`|'(?:[^'\\]|\\.)*'|"[^"]*")/g)
  return [...titles].map(([, title = '']) => title.slice(1, -1))
}

describe('the threat model', () => {
  it('has threats, each with an id of its own, numbered without gaps within its part', () => {
    assert.ok(threats.length > 50, `${threats.length} threats`)
    const parts = [...new Set(threats.map(partOf))]
    assert.deepEqual(parts, [
      'T-REQ',
      'T-LOG',
      'T-FILE',
      'T-KEY',
      'T-BAK',
      'T-RP',
      'T-TOK',
      'T-OPS',
      'T-TEN',
      'T-MOV',
      'T-SUP',
    ])
    for (const part of parts) {
      const ids = threats.filter((threat) => partOf(threat) === part).map(({ id }) => id)
      assert.deepEqual(
        ids,
        ids.map((_, n) => `${part}-${n + 1}`),
      )
    }
  })

  it('looks at each kind of STRIDE', () => {
    const kinds = threats.flatMap((threat) => threat.kinds.split(', '))
    assert.deepEqual([...new Set(kinds)].sort(), ['D', 'E', 'I', 'R', 'S', 'T'])
  })

  for (const { id, cells, shownBy } of threats) {
    it(`says of ${id} what it is, what stands against it and what is left, and names tests that are there or why it is accepted`, () => {
      assert.equal(cells.length, 4)
      for (const cell of cells) assert.ok(cell.trim().length >= 7, `an empty cell: ${cells}`)
      if (ACCEPTED.test(shownBy)) return
      const tests = [...shownBy.matchAll(TEST)]
      assert.ok(tests.length > 0, `${id} names no test and is not accepted: ${shownBy}`)
      assert.equal(shownBy.replaceAll(TEST, '').replaceAll('; ', ''), '', `${id} is not understood: ${shownBy}`)
      for (const [, file = '', part = ''] of tests) {
        assert.ok(existsSync(join(root, file)), `${file} is not there`)
        const titles = titlesIn(file)
        assert.ok(
          titles.some((title) => title.includes(part)),
          `no test of ${file} is called “…${part}…”, but:\n${titles.join('\n')}`,
        )
      }
    })
  }
})
