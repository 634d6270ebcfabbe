import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { command } from '../support/command.ts'
import { commandsOf } from './commands.ts'
import { pages, root } from './snippets.ts'

const COMMANDS =
  /^(status|doctor|explain|verify|anchor|sessions|logouts|features|checkpoints|retention|prepare|layout|migrate|export|keys|rekey|forget)( [a-z]+)*( --[a-z].*)?$/

describe('the commands in the documentation', () => {
  for (const page of pages) {
    const text = readFileSync(join(root, page), 'utf8')
    const inProse = [...text.matchAll(/(?<!`)`(?:npx oidc-provider-eventstore )?([^`\n]+)`(?!`)/g)]
      .map(([, code = '']) => code.replaceAll('\\|', '|').split(' | ')[0] ?? '')
      .filter((code) => COMMANDS.test(code) && (code.includes(' ') || code === 'doctor'))
      .map((code) => code.split(' '))
    const commands = new Map([...commandsOf(text), ...inProse].map((words) => [words.join(' '), words]))
    if (commands.size === 0) continue

    it(`are there, with their options: ${page}`, async () => {
      for (const [line, words] of commands) {
        const names = words.slice(
          0,
          Math.max(
            words.findIndex((word) => word.startsWith('-')),
            0,
          ) || undefined,
        )
        const { code, out, err } = await command([...names.filter((name) => !name.startsWith('-')), '--help'])
        assert.equal(code, 0, `${line}: ${err}`)
        const [usage = ''] = out.split('\n')
        const asked = names.find((name) => !name.startsWith('-'))
        assert.ok(asked === undefined || usage.includes(` ${asked}`), `${line}: ${usage}`)
        const [, second] = names
        if (usage.includes('[command]')) assert.equal(second, undefined, `${line}: no such command`)
        for (const [, option = ''] of line.matchAll(/(?<=^| )(--[a-z-]+)/g))
          assert.ok(option === '--help' || out.includes(option), `${line}: ${option} is not known`)
      }
    })
  }
})
