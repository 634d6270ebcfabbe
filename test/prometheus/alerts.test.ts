import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { missingPrometheus, promtool } from '../support/prometheus.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const RULES = fileURLToPath(new URL('../../docs/grafana/alerts.yml', import.meta.url))
const P = 'oidc_provider_eventstore_'

interface Case {
  /** The series while all is well, each with its values by the minute. */
  readonly well: Readonly<Record<string, string>>
  /** And while it is not. */
  readonly ill: Readonly<Record<string, string>>
  /** When it has to fire, in minutes, and by when it must not yet. */
  readonly firesAfter: number
  readonly silentAt: number
}

const histogram = (name: string, quick: string, slow: string): Record<string, string> => ({
  [`${P}${name}_bucket{le="0.5"}`]: quick,
  [`${P}${name}_bucket{le="600"}`]: slow,
  [`${P}${name}_bucket{le="+Inf"}`]: slow,
})

/** How each alert is brought about. */
const CASES: Readonly<Record<string, Case>> = {
  OidcLogoutPlannerBehind: {
    well: { [`${P}consumer_lag{${P}consumer="planner"}`]: '900x120' },
    ill: { [`${P}consumer_lag{${P}consumer="planner"}`]: '1001x120' },
    firesAfter: 11,
    silentAt: 9,
  },
  OidcLogoutOverdue: {
    well: { [`${P}logout_overdue{}`]: '59x120' },
    ill: { [`${P}logout_overdue{}`]: '61x120' },
    firesAfter: 6,
    silentAt: 4,
  },
  OidcLogoutSlow: {
    well: histogram('logout_time_to_logout', '0+60x120', '0+60x120'),
    ill: histogram('logout_time_to_logout', '0+6x120', '0+60x120'),
    firesAfter: 18,
    silentAt: 14,
  },
  OidcLogoutParked: {
    well: { [`${P}logout_parked{}`]: '0x120' },
    ill: { [`${P}logout_parked{}`]: '1x120' },
    firesAfter: 2,
    silentAt: 0,
  },
  OidcLogoutDeadLetters: {
    well: { [`${P}logout_dead_letters{}`]: '0x120' },
    ill: { [`${P}logout_dead_letters{}`]: '1x120' },
    firesAfter: 16,
    silentAt: 14,
  },
  OidcRpBacklogOld: {
    well: { [`${P}logout_backlog_age{messaging_destination_name="rp"}`]: '3599x120' },
    ill: { [`${P}logout_backlog_age{messaging_destination_name="rp"}`]: '3601x120' },
    firesAfter: 11,
    silentAt: 9,
  },
  OidcRpCircuitOpen: {
    well: { [`${P}logout_circuits_open{}`]: '0x120' },
    ill: { [`${P}logout_circuits_open{}`]: '1x120' },
    firesAfter: 31,
    silentAt: 29,
  },
  OidcAppendsFail: {
    well: {
      [`${P}append_duration_count{}`]: '0+1000x120',
      [`${P}append_duration_count{error_type="ALREADY_CLAIMED"}`]: '0+500x120',
    },
    ill: {
      [`${P}append_duration_count{}`]: '0+1000x120',
      [`${P}append_duration_count{error_type="OUTCOME_UNKNOWN"}`]: '0+20x120',
    },
    firesAfter: 8,
    silentAt: 4,
  },
  OidcAppendsSlow: {
    well: histogram('append_duration', '0+60x120', '0+60x120'),
    ill: histogram('append_duration', '0+50x120', '0+60x120'),
    firesAfter: 13,
    silentAt: 9,
  },
  OidcReadsSlow: {
    well: histogram('read_duration', '0+60x120', '0+60x120'),
    ill: histogram('read_duration', '0+50x120', '0+60x120'),
    firesAfter: 13,
    silentAt: 9,
  },
  OidcRetentionStalled: {
    well: { [`${P}retention_walk_age{}`]: '172000x120' },
    ill: { [`${P}retention_walk_age{}`]: '172801x120' },
    firesAfter: 61,
    silentAt: 59,
  },
}

describe('the alert rules', () => {
  const folder = temporaryFolder()

  before(function () {
    const missing = missingPrometheus()
    if (missing !== undefined) {
      console.log(`      The tests with Prometheus did not run: ${missing}.`)
      this.skip()
    }
  })

  it('are what promtool takes, and each of them is brought about below', async () => {
    assert.match(
      await promtool('check', 'rules', RULES),
      new RegExp(`SUCCESS: ${Object.keys(CASES).length} rules found`),
    )
  })

  for (const [alert, { well, ill, firesAfter, silentAt }] of Object.entries(CASES)) {
    it(`fire when they should, and not before: ${alert}`, async () => {
      const at = (minutes: number, count: number) => ({ eval_time: `${minutes}m`, alertname: alert, count })
      const scenes = [
        { series: well, checks: [at(100, 0)] },
        { series: ill, checks: [at(silentAt, 0), at(firesAfter, 1)] },
      ]
      for (const { series, checks } of scenes) {
        for (const { eval_time, alertname, count } of checks) {
          const fires = await isFiring(folder.path, series, eval_time, alertname)
          assert.equal(fires, count === 1, `${alertname} at ${eval_time}, with ${JSON.stringify(series)}`)
        }
      }
    })
  }
})

/** promtool compares all of an alert; here it counts whether there is one. */
async function isFiring(
  folder: string,
  series: Readonly<Record<string, string>>,
  evalTime: string,
  alert: string,
): Promise<boolean> {
  const file = join(folder, 'test.json')
  const test = {
    rule_files: [RULES],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        promql_expr_test: [
          {
            expr: `count(ALERTS{alertname="${alert}", alertstate="firing"}) or vector(0)`,
            eval_time: evalTime,
            exp_samples: [{ labels: '{}', value: 1 }],
          },
        ],
      },
    ],
  }
  await writeFile(file, JSON.stringify(test))
  return promtool('test', 'rules', file).then(
    () => true,
    (error: Error) => {
      // Anything but a count of none is a mistake in the rules, or in the series.
      assert.match(error.message, /\{\} 0E\+00/, error.message)
      return false
    },
  )
}
