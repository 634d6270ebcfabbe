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
  readonly logLevel: string
}

type Environment = Readonly<Record<string, string | undefined>>

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent']

/**
 * All that can be set, and nothing that must be. `example/README.md` lists the variables.
 *
 * @throws StartupError
 */
export function readSettings(environment: Environment): Settings {
  const op = place('op', 'The OP', 'OP_PORT', 3000, environment)
  const one = place('rp-one', 'RP one', 'RP_ONE_PORT', 3001, environment)
  const two = place('rp-two', 'RP two', 'RP_TWO_PORT', 3002, environment)
  const uri = environment['MONGODB_URI']
  return {
    op,
    rps: [one, two],
    start: chosen(environment['START'] ?? 'op,rp-one,rp-two'),
    stateFolder: environment['STATE_FOLDER'] ?? join(import.meta.dirname, '.state'),
    mongodb: uri ? { uri, database: environment['MONGODB_DATABASE'] ?? 'oidc-provider-eventstore-example' } : undefined,
    keys: keysIn(environment['OP_KEYS']),
    down: isDown(environment['RP_TWO']) ? new Set([two.id]) : new Set(),
    logLevel: oneOf(LOG_LEVELS, 'LOG_LEVEL', environment['LOG_LEVEL'] ?? 'info'),
  }
}

function place<Id extends AppId>(
  id: Id,
  name: string,
  portVariable: string,
  usualPort: number,
  environment: Environment,
): Place<Id> {
  const port = Number(environment[portVariable] ?? usualPort)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StartupError(`${portVariable} is "${environment[portVariable]}": it must be a port, from 1 to 65535`)
  }
  // One host for all three, so that the example works whatever `localhost` resolves to. Cookies know hosts and no
  // ports: each application has cookie names of its own.
  return { id, name, port, portVariable, origin: `http://127.0.0.1:${port}` }
}

function chosen(names: string): Set<AppId> {
  const known: readonly AppId[] = ['op', 'rp-one', 'rp-two']
  return new Set(names.split(',').map((name) => oneOf(known, 'START', name.trim())))
}

function isDown(value: string | undefined): boolean {
  return value !== undefined && oneOf(['up', 'down'], 'RP_TWO', value) === 'down'
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
