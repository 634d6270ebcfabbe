import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FileEventStore } from '../../adapters/file/index.ts'
import { eventSourced, INSTRUMENTS, silent } from '../../lib/index.ts'
import { ExamplePerson } from '../support/example-person.ts'
import { type ExamplePlaces, ExampleProcess, examplePlaces } from '../support/example-process.ts'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { missingPrometheus, Prometheus, type Sample } from '../support/prometheus.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number }
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[]
}

describe('the dashboard and the alerts, with a Prometheus that reads the example under load', () => {
  const folder = temporaryFolder()
  let panels: Panel[]

  before(async function () {
    const missing = missingPrometheus()
    if (missing !== undefined) {
      console.log(`      The tests with Prometheus did not run: ${missing}.`)
      this.skip()
    }
    const dashboard = await readFile(join(root, 'docs/grafana/dashboard.json'), 'utf8')
    panels = (JSON.parse(dashboard) as { readonly panels: Panel[] }).panels
  })

  it('show something for every expression', async () => {
    await walkOnce(join(folder.path, 'log'))
    const places = await examplePlaces(folder.path)
    const metricsPort = await portOutsideEphemeralRange()
    const example = await ExampleProcess.start({
      ...places.environment,
      ...{ METRICS_PORT: String(metricsPort), RP_TWO: 'down', RETRY_DELAYS: '1,600', LOG_LEVEL: 'warn' },
    })
    const rules = join(root, 'docs/grafana/alerts.yml')
    const prometheus = await Prometheus.start(folder.path, `127.0.0.1:${metricsPort}`, rules)
    const stopping = new AbortController()
    const load = logInAndOut(places, stopping.signal)
    try {
      for (const { title, targets = [] } of panels) {
        for (const { expr } of targets) {
          const expression = expr.replaceAll('$__rate_interval', '1m')
          await answered(prometheus, expression, `the panel "${title}"`)
        }
      }
      const alerts = await prometheus.rules()
      assert.equal(alerts.length, 11)
      for (const { name, query, health, annotations } of alerts) {
        assert.equal(health, 'ok', name)
        const [, expression = ''] = /^([\s\S]*) > [\d.]+$/.exec(query) ?? []
        await answered(prometheus, expression, `the alert ${name}`)
        for (const metric of metricsIn(query))
          assert.ok((await prometheus.query(`count(${metric})`)).length > 0, `${name}: ${metric}`)
        assert.ok(String(annotations['summary']).length > 20 && String(annotations['runbook']).length > 40, name)
        await isWritten(String(annotations['docs']))
      }
      // What the load has done is what is shown.
      const owedMost = await prometheus.query(
        'topk(1, max by (messaging_destination_name) (oidc_provider_eventstore_logout_backlog) > 0)',
      )
      assert.deepEqual(
        owedMost.map(({ metric }) => metric['messaging_destination_name']),
        ['rp-two'],
      )
      const confirmed = 'oidc_provider_eventstore_logout_deliveries_total{oidc_provider_eventstore_outcome="confirmed"}'
      assert.ok(valuesOf(await prometheus.query(`sum(${confirmed})`)).some((value) => value > 0))
    } finally {
      stopping.abort()
      await load
      await prometheus.stop()
      await example.end()
    }
    assert.equal(example.errors, '')
  })

  it('show every instrument, and nothing that is no instrument', () => {
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join('\n')
    for (const [name, { kind }] of Object.entries(INSTRUMENTS)) {
      const metric = name.replaceAll('.', '_')
      const shown = { counter: `${metric}_total`, gauge: metric, histogram: `${metric}_` }[kind]
      assert.ok(expressions.includes(shown), name)
    }
    const known = Object.keys(INSTRUMENTS).map((name) => name.replaceAll('.', '_'))
    for (const metric of metricsIn(expressions))
      assert.ok(
        known.some((name) => metric === name || metric.startsWith(`${name}_`)),
        metric,
      )
  })

  it('is a dashboard whose panels have a title, a description and a place of their own', () => {
    const places = new Set<string>()
    const ids = new Set(panels.map(({ id }) => id))
    assert.equal(ids.size, panels.length)
    for (const { type, title, description, gridPos, targets = [] } of panels) {
      assert.ok(title.length > 3)
      assert.ok(gridPos.x + gridPos.w <= 24, title)
      assert.ok(!places.has(`${gridPos.x} ${gridPos.y}`), title)
      places.add(`${gridPos.x} ${gridPos.y}`)
      if (type === 'row') continue
      assert.ok((description?.length ?? 0) > 10 && targets.length > 0, title)
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length)
    }
  })
})

/** Retention reaches the end of the log some minutes after a start; here it has been there before. */
async function walkOnce(path: string): Promise<void> {
  const store = await FileEventStore.open(path)
  await store.append({ events: [{ stream: 'days', type: 'passed', data: {} }] })
  await eventSourced(store, { logger: silent }).retention.run()
  await store.close()
}

/** People who log in at both RPs and log out at one, until it is enough. */
async function logInAndOut({ one, two }: ExamplePlaces, enough: AbortSignal): Promise<void> {
  while (!enough.aborted) {
    const person = new ExamplePerson()
    await person.logIn(one, 'alice')
    await person.logIn(two)
    await person.logOut(one)
  }
}

/** Resolves when the expression has a value. Nothing but asking tells. */
async function answered(prometheus: Prometheus, expression: string, what: string): Promise<void> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const samples = await prometheus.query(expression)
    if (valuesOf(samples).some(Number.isFinite)) return
    assert.ok(performance.now() < deadline, `${what} shows nothing: ${expression} is ${JSON.stringify(samples)}`)
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

/** Without the labels that it is grouped by. */
function metricsIn(expression: string): string[] {
  const ungrouped = expression.replaceAll(/\bby \([^)]*\)/g, '')
  return [...ungrouped.matchAll(/\b(?:oidc_provider_eventstore|messaging_client)_\w+(?=[[{)])/g)].map(([name]) => name)
}

function valuesOf(samples: readonly Sample[]): number[] {
  return samples.map(({ value: [, value] }) => Number(value))
}

/** The guide has a section of this name. */
async function isWritten(link: string): Promise<void> {
  const [path = '', anchor = ''] = link.split('#')
  const guide = await readFile(join(root, path), 'utf8')
  assert.match(guide, new RegExp(`^#+ ${anchor}$`, 'im'), link)
}
