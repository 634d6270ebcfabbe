import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { RunningProgram } from '../support/guide-programs.ts'
import { Person } from '../support/op.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe("the README's quick start", () => {
  let folder: string
  let child: ChildProcessByStdio<null, Readable, null>

  before(async () => {
    // Inside the checkout, so that the package is found under its own name.
    await mkdir(join(root, 'artefacts'), { recursive: true })
    folder = await mkdtemp(join(root, 'artefacts', 'quick-start-'))
  })

  after(async () => {
    child?.kill()
    await rm(folder, { recursive: true, force: true })
  })

  it('is under 15 lines, runs as it stands, and prints what the README says', async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8')
    const code = fenced(readme, '<!-- quick-start:')
    const output = fenced(readme, '<!-- quick-start-output -->').trimEnd().split('\n')
    assert.ok(code.split('\n').filter((line) => line.trim() !== '').length < 15)

    const port = await portOutsideEphemeralRange()
    await writeFile(join(folder, 'quick-start.mjs'), code.replaceAll('3000', String(port)))
    child = spawn(process.execPath, ['quick-start.mjs'], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
    const printed = lines(child.stdout, output.length)
    const origin = `http://localhost:${port}`
    await new RunningProgram(child).answering(`${origin}/jwks`)

    const person = new Person({ issuer: origin })
    const url = `${origin}/auth?client_id=rp&response_type=code&scope=openid`
    assert.ok(readme.includes(url.replace(String(port), '3000')))
    const back = await person.finish(await person.agent.get(url))
    assert.ok(back.get('code'))
    assert.deepEqual(await printed, output)
  })
})

function fenced(markdown: string, marker: string): string {
  const from = markdown.indexOf(marker)
  const found = /```\w*\n([\s\S]*?)```/.exec(markdown.slice(from))?.[1]
  assert.ok(from >= 0 && found, `the README has no block after ${marker}`)
  return found
}

async function lines(stream: Readable, count: number): Promise<string[]> {
  const found: string[] = []
  for await (const line of createInterface({ input: stream })) {
    if (/^\d/.test(line)) found.push(line) // oidc-provider says a few things of its own
    if (found.length === count) break
  }
  return found
}
