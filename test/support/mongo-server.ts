import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { portOutsideEphemeralRange } from './free-port.ts'
import { startGuardian } from './guardian.ts'
import { findLauncher, type Launcher, type TlsFiles } from './mongo-launcher.ts'

export interface ServerOptions {
  /** An acknowledged write survives `kill('SIGKILL')`. Slower. */
  readonly durable?: boolean
  /** A folder of the caller's, which is kept. Default: a new one, removed by `stop()`. */
  readonly storagePath?: string
  /** Further arguments of the program's: `--auth`. */
  readonly flags?: readonly string[]
  /** TLS alone, and clients with certificates alone. */
  readonly tls?: TlsFiles
  /** 0 lets the server pick one, where it can. */
  readonly port?: number
  /** Does not keep the tests' process alive, and so is no leftover of theirs: for the server that they share. */
  readonly background?: boolean
}

/** A server process of the caller's own, to kill, stop and restart. It dies with the tests, however they end. */
export interface MongoServer {
  readonly kind: string
  readonly uri: string
  readonly port: number
  /** Of the process that runs, or ran last. */
  readonly pid: number
  readonly storagePath: string
  /** Sends the signal. Waits for the end of the process, unless the signal is one that leaves it alive. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same port and folder, and waits until it takes connections. Ends it first if it runs. */
  restart(): Promise<void>
  /** Ends the process, and removes the folder unless the caller named it. */
  stop(): Promise<void>
}

const SURVIVED_SIGNALS: ReadonlySet<NodeJS.Signals> = new Set(['SIGSTOP', 'SIGCONT'])
const START_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_MS = 10_000

export async function startServer(options: ServerOptions = {}): Promise<MongoServer> {
  const launcher = await findLauncher()
  const storagePath = options.storagePath ?? (await mkdtemp(join(tmpdir(), 'eventstore-test-')))
  await mkdir(storagePath, { recursive: true })
  const wantedPort =
    options.port === undefined || (options.port === 0 && !launcher.picksPort)
      ? await portOutsideEphemeralRange()
      : options.port
  const guardian = startGuardian(options.storagePath === undefined ? storagePath : undefined)

  const start = async (port: number): Promise<Running> => {
    const args = [
      ...launcher.arguments(port, storagePath, options.durable ?? false),
      ...(options.tls ? launcher.tls(options.tls) : []),
      ...(options.flags ?? []),
    ]
    const running = await launch(launcher, args, storagePath)
    guardian.watch(running.pid)
    void running.exited.then(() => guardian.forget())
    return running
  }

  let running: Running
  let port: number
  try {
    running = await start(wantedPort)
    port = await running.listening
    if (launcher.replicaSet) await initiate(port, launcher.replicaSet, options.tls)
  } catch (error) {
    await guardian.dismiss()
    throw error
  }
  if (options.background) running.unref()

  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (running.hasExited()) return
    running.ref()
    process.kill(running.pid, signal)
    if (!SURVIVED_SIGNALS.has(signal)) await running.exited
  }

  const end = async (): Promise<void> => {
    if (running.hasExited()) return
    running.ref()
    process.kill(running.pid, 'SIGTERM')
    // A stopped process does not see SIGTERM before it continues.
    process.kill(running.pid, 'SIGCONT')
    const impatient = setTimeout(() => process.kill(running.pid, 'SIGKILL'), STOP_TIMEOUT_MS)
    await running.exited
    clearTimeout(impatient)
  }

  return {
    kind: launcher.kind,
    uri: `mongodb://127.0.0.1:${port}/${launcher.replicaSet ? `?replicaSet=${launcher.replicaSet}` : ''}`,
    port,
    storagePath,
    get pid() {
      return running.pid
    },
    kill,
    async restart() {
      await end()
      running = await start(port)
      await running.listening
    },
    async stop() {
      // No need to close a store in good order that is removed in the same moment.
      if (options.storagePath === undefined) await kill('SIGKILL')
      else await end()
      await guardian.dismiss()
    },
  }
}

interface Running {
  readonly pid: number
  /** Resolves with the port, rejects when the process ends before it takes connections. */
  readonly listening: Promise<number>
  readonly exited: Promise<void>
  hasExited(): boolean
  ref(): void
  unref(): void
}

async function launch(launcher: Launcher, args: string[], cwd: string): Promise<Running> {
  // In a process group of its own: Ctrl-C in the terminal ends the tests, and the tests or the guardian end the server.
  const child = spawn(launcher.command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const listening = readPort(child, launcher)
  // Whoever needs the port awaits it; a server that is killed while it starts is no unhandled rejection.
  listening.catch(() => {})
  await once(child, 'spawn')
  // Never a pretended process id: to signal -1 is to signal everything.
  if (child.pid === undefined) throw new Error(`${launcher.kind} did not start`)
  return {
    pid: child.pid,
    listening,
    exited,
    hasExited: () => child.exitCode !== null || child.signalCode !== null,
    ref: () => child.ref(),
    unref() {
      child.unref()
      for (const stream of [child.stdout, child.stderr]) (stream as Socket).unref()
    },
  }
}

function readPort(child: ChildProcess, launcher: Launcher): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = ''
    const fail = (reason: string): void => {
      clearTimeout(timer)
      reject(new Error(`${launcher.kind} ${reason}. Its last output:\n${output.slice(-2000)}`))
    }
    const timer = setTimeout(() => fail(`took no connection within ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS)
    const read = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-16_384)
      const port = launcher.ready.exec(output)?.[1]
      if (port === undefined) return
      clearTimeout(timer)
      resolve(Number(port))
    }
    // Read on after the port is known: a full pipe would stop the server.
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('exit', (code, signal) => fail(`ended with ${signal ?? code}`))
  })
}

async function initiate(port: number, replicaSet: string, tls?: TlsFiles): Promise<void> {
  const secured = tls ? { tls: true, tlsCAFile: tls.ca, tlsCertificateKeyFile: tls.both } : {}
  const direct = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, secured)
  try {
    await direct.db('admin').command({
      replSetInitiate: { _id: replicaSet, members: [{ _id: 0, host: `127.0.0.1:${port}` }] },
    })
  } catch (error) {
    const ALREADY_INITIALIZED = 23
    if ((error as { code?: unknown }).code !== ALREADY_INITIALIZED) throw error
  } finally {
    await direct.close()
  }
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?replicaSet=${replicaSet}`, secured)
  try {
    // Waits for the primary.
    await client.db('admin').command({ ping: 1 })
  } finally {
    await client.close()
  }
}
