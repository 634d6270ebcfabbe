import { join } from 'node:path'
import type { Keys } from 'oidc-provider-eventstore'
import { StartupError } from './startup-error.ts'

export type RpId = 'rp-one' | 'rp-two'
export type AppId = 'op' | RpId

/** One of the three applications: what it is called, and where it is. */
export interface Place<Id extends AppId = AppId> {
  readonly id: Id
  readonly name: string
  readonly port: number
  /** The environment variable that moves it to another port. */
  readonly portVariable: string
  readonly origin: string
}

export interface Settings {
  readonly op: Place<'op'>
  readonly rps: readonly Place<RpId>[]
  /** What this process starts. */
  readonly start: ReadonlySet<AppId>
  /** Everything that outlives the process. */
  readonly stateFolder: string
  readonly mongodb: { readonly uri: string; readonly database: string } | undefined
  /** Absent: made at the first start, and kept under the state folder. */
  readonly keys: Keys | undefined
  /** RPs that do not answer logout tokens, to begin with. */
  readonly down: ReadonlySet<RpId>
  /** Waits between the attempts to tell an RP, in milliseconds. After the last one nobody tries any more. */
  readonly retryDelaysMs: readonly number[]
  readonly logLevel: string
  /** Where Prometheus finds the OP's measurements. Absent: nothing is measured. */
  readonly metricsPort: number | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent']

/**
 * All that can be set, and nothing that must be. `example/README.md` lists the variables.
 *
 * @throws StartupError
 */
export function readSettings(given: Environment): Settings {
  const environment = withoutEmpty(given)
  const op = place('op', 'The OP', 'OP_PORT', 3000, environment)
  const one = place('rp-one', 'RP one', 'RP_ONE_PORT', 3001, environment)
  const two = place('rp-two', 'RP two', 'RP_TWO_PORT', 3002, environment)
  const uri = environment['MONGODB_URI']
  return {
    op,
    rps: [one, two],
    start: chosen(environment['START'] ?? 'op,rp-one,rp-two'),
    stateFolder: environment['STATE_FOLDER'] ?? join(import.meta.dirname, '.state'),
    mongodb: uri === undefined ? undefined : { uri, database: databaseIn(environment) },
    keys: keysIn(environment['OP_KEYS']),
    down: new Set([...isDown(one.id, 'RP_ONE', environment), ...isDown(two.id, 'RP_TWO', environment)]),
    retryDelaysMs: delaysIn(environment['RETRY_DELAYS']),
    metricsPort: portIn('METRICS_PORT', environment['METRICS_PORT']),
    logLevel: oneOf(LOG_LEVELS, 'LOG_LEVEL', environment['LOG_LEVEL'] ?? 'info'),
  }
}

/** `OP_PORT= npm start` says nothing: a variable is emptied where it cannot be taken away. */
function withoutEmpty(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
}

function place<Id extends AppId>(
  id: Id,
  name: string,
  portVariable: string,
  usualPort: number,
  environment: Environment,
): Place<Id> {
  const port = portIn(portVariable, environment[portVariable]) ?? usualPort
  // One host for all three, so that the example works whatever `localhost` resolves to. Cookies know hosts and no
  // ports: each application has cookie names of its own.
  return { id, name, port, portVariable, origin: `http://127.0.0.1:${port}` }
}

function portIn(variable: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const port = Number(value)
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw new StartupError(`${variable} is "${value}": it must be a port, from 1 to 65535`)
}

function chosen(names: string): Set<AppId> {
  const known: readonly AppId[] = ['op', 'rp-one', 'rp-two']
  return new Set(names.split(',').map((name) => oneOf(known, 'START', name.trim())))
}

function isDown(id: RpId, variable: string, environment: Environment): RpId[] {
  const value = environment[variable]
  return value !== undefined && oneOf(['up', 'down'], variable, value) === 'down' ? [id] : []
}

/** Seconds, so that one can watch it. In production leave it out: the default tries for 28 hours. */
function delaysIn(value = '2,4,8,15,30,60,120,240,300,300'): number[] {
  const delays = value.split(',').map((delay) => Number(delay.trim() || Number.NaN) * 1_000)
  if (delays.every((delay) => delay >= 0 && delay <= 86_400_000)) return delays
  throw new StartupError(`RETRY_DELAYS is "${value}": it must be seconds, separated by commas, each from 0 to 86400`)
}

/** What MongoDB takes: its manual, "MongoDB Limits and Thresholds", naming restrictions. */
function databaseIn({ MONGODB_DATABASE: name = 'oidc-provider-eventstore-example' }: Environment): string {
  if (Buffer.byteLength(name) < 64 && !/[/\\. "$*<>:|?\0]/.test(name)) return name
  throw new StartupError(
    `MONGODB_DATABASE is "${name}": the name must be shorter than 64 bytes, without spaces and without / \\ . " $ * < > : | ?`,
  )
}

function keysIn(json: string | undefined): Keys | undefined {
  if (json === undefined) return undefined
  try {
    return JSON.parse(json) as Keys // whoever opens the store checks the rest
  } catch {
    throw new StartupError(
      'OP_KEYS is not JSON: it must be {"sealing":[{"id":"…","secret":"…"}],"hashing":[{"id":"…","secret":"…"}]}',
    )
  }
}

function oneOf<T extends string>(known: readonly T[], variable: string, value: string): T {
  const found = known.find((one) => one === value)
  if (found === undefined) throw new StartupError(`${variable} knows ${known.join(', ')}, not "${value}"`)
  return found
}
