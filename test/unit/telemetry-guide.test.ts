import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { INSTRUMENTS, type Telemetry } from '../../lib/index.ts'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { GuideCode } from '../support/guide-code.ts'

const GUIDE = 'docs/guides/telemetry.md'
const root = fileURLToPath(new URL('../..', import.meta.url))

describe('the guide to telemetry', () => {
  const text = readFileSync(join(root, GUIDE), 'utf8')
  const section = (heading: string): string => text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''

  it('lists every instrument as it is, and no other', () => {
    const rows = [...section('Instruments').matchAll(/^\| `([\w.]+)` \| (\w+) \| `([^`]+)` \| ([^|]+) \| [^|]+ \|$/gm)]
    assert.deepEqual(
      Object.fromEntries(rows.map(([, name, kind, unit, description]) => [name, { kind, unit, description }])),
      Object.fromEntries(
        Object.entries(INSTRUMENTS).map(([name, { kind, unit, description }]) => [name, { kind, unit, description }]),
      ),
    )
  })

  it('lists every attribute and every span that the source names, and no other', () => {
    const sources = [
      ...['lib/telemetry/measured-store.ts', 'lib/telemetry/log-gauges.ts', 'plugins/telemetry/open-telemetry.ts'],
      ...['delivery/delivery-measures.ts', 'delivery/planning.ts', 'logout-gauges.ts'].map(
        (name) => `plugins/back-channel-logout/${name}`,
      ),
    ].map((name) => readFileSync(join(root, name), 'utf8'))
    const named = sources.flatMap((source) =>
      [...source.matchAll(/'([a-z_]+(?:\.[a-z_]+)+)'/g)].map(([, name = '']) => name),
    )
    const attributes = new Set(named.filter((name) => !(name in INSTRUMENTS)))
    const listed = [...section('Attributes').matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, names = '']) => [
      ...names.matchAll(/`([^`]+)`/g),
    ])
    assert.deepEqual(listed.map(([, name]) => name).sort(), [...attributes].sort())
    const spans = sources.flatMap((source) => [...source.matchAll(/(?:name: |const SPAN = )'([a-z_]+(?: [a-z]+)+)'/g)])
    const listedSpans = [...section('Spans').matchAll(/^\| `([^`]+)` \|/gm)]
    assert.deepEqual(listedSpans.map(([, name]) => name).sort(), spans.map(([, name]) => name).sort())
  })

  it('sets up what Prometheus reads', async () => {
    const code = await GuideCode.read(GUIDE)
    const port = String(await portOutsideEphemeralRange())
    try {
      const made = await code.run('Set up', { file: 'telemetry.mjs', values: { 9464: port } })
      const telemetry = made['telemetry'] as Telemetry
      telemetry.record('oidc_provider_eventstore.append.conflicts', 3)
      const answer = await fetch(`http://localhost:${port}/metrics`, { headers: { connection: 'close' } })
      assert.match(await answer.text(), /^oidc_provider_eventstore_append_conflicts_total(?:\{[^}]*\})? 3/m)
      await (made['meterProvider'] as { shutdown(): Promise<void> }).shutdown()
      assert.deepEqual(code.leftOut, [])
    } finally {
      await code.remove()
    }
  })

  it('names packages that are there', () => {
    const require = createRequire(import.meta.url)
    for (const [, name = ''] of section('Set up').matchAll(/from '(@opentelemetry\/[\w-]+)'/g))
      assert.ok(require.resolve(name))
  })
})
