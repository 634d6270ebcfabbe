import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { systemClock } from '../../lib/index.ts'
import { printable, printableJson } from '../../lib/printable.ts'
import { Output, type Terminal } from '../../plugins/command-line/terminal.ts'
import { anyCharacter } from '../support/any-character.ts'

/** Clears the screen; sets the title by the one-byte form; turns text around. What an RP might answer. */
const HOSTILE = 'ok\u001b[2Jgone \u009d0;title\u0007 \u202etxt.exe\u202c \u007f\r'

/** What a terminal or a reader could be deceived by, line feeds and tabs aside. */
const DECEIVING = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

describe('text that others have chosen, where it is printed', () => {
  it('has no control character and no mark of direction in it, and says which there were', () => {
    assert.equal(printable(HOSTILE), 'ok\\u001b[2Jgone \\u009d0;title\\u0007 \\u202etxt.exe\\u202c \\u007f\\u000d')
    assert.equal(printable('ä line\n\tof 日本語, שלום and 👩‍🚒'), 'ä line\n\tof 日本語, שלום and 👩‍🚒')
  })

  it('has none whatever it is', () => {
    fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => !DECEIVING.test(printable(text))))
  })

  it('as JSON is the JSON of the same value', () => {
    const value = { answer: HOSTILE, [HOSTILE]: [HOSTILE] }
    assert.doesNotMatch(printableJson(JSON.stringify(value)), DECEIVING)
    assert.deepEqual(JSON.parse(printableJson(JSON.stringify(value))), value)
    const anything = fc.json({ stringUnit: anyCharacter })
    fc.assert(fc.property(anything, (json) => assert.deepEqual(JSON.parse(printableJson(json)), JSON.parse(json))))
  })

  for (const isJson of [false, true]) {
    it(`reaches a terminal so by the command line ${isJson ? 'for machines' : 'for people'}`, async () => {
      const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
      const terminal: Terminal = {
        ...{ env: {}, stdin, stdout, clock: systemClock, signal: new AbortController().signal },
        stderr: Object.assign(stderr, { isTTY: true }),
      }
      const output = new Output(terminal, isJson)
      output.result({ answer: HOSTILE }, () => HOSTILE)
      await output.list([HOSTILE], (item) => `\t${item}`, 'none')
      output.note(HOSTILE)
      stdout.end()
      stderr.end()
      const printed = `${await textOf(stdout)}${await textOf(stderr)}`
      assert.match(printed, /\\u001b\[2J/)
      assert.doesNotMatch(printed, DECEIVING)
    })
  }
})

async function textOf(stream: PassThrough): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}
