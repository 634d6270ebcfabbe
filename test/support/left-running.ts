import type { ChildProcess } from 'node:child_process'
import type { Server, Socket } from 'node:net'

/** Node's own list of handles that keep the process alive. Undocumented, and the only way to name one. */
interface HandleList {
  _getActiveHandles(): object[]
}

/**
 * What still keeps this process alive, one line each: open sockets, listening servers, child processes, timers. The
 * process's standard streams are not among them.
 */
export function leftRunning(): string[] {
  const handles = (process as unknown as HandleList)._getActiveHandles().filter((handle) => !isStandard(handle))
  // Timers and pending requests are in this list only, by the name of their kind.
  const others = process.getActiveResourcesInfo().filter((kind) => NAMELESS.has(kind))
  return [...handles.map(describe), ...counted(others)]
}

const NAMELESS: ReadonlySet<string> = new Set(['Timeout', 'FSReqPromise', 'Worker', 'MessagePort'])

function isStandard(handle: object): boolean {
  if (handle === process.stdin || handle === process.stdout || handle === process.stderr) return true
  // The channel to mocha, in a process that runs a part of the files.
  return process.channel !== undefined && handle.constructor.name === 'Pipe'
}

function describe(handle: object): string {
  const kind = handle.constructor.name
  if (kind === 'ChildProcess') {
    const child = handle as ChildProcess
    return `child process ${child.pid}: ${child.spawnargs.join(' ')}`
  }
  if (kind === 'Server') {
    const address = (handle as Server).address()
    return `server listening on ${typeof address === 'object' ? `port ${address?.port}` : address}`
  }
  if (kind === 'Socket' || kind === 'TLSSocket') {
    const socket = handle as Socket
    // A pipe to a child process has no address; the child is in the list itself, if it still runs.
    if (socket.remotePort === undefined) return 'pipe'
    return `connection from port ${socket.localPort} to ${socket.remoteAddress}:${socket.remotePort}`
  }
  return kind
}

function counted(kinds: string[]): string[] {
  return [...new Set(kinds)].map((kind) => `${kinds.filter((other) => other === kind).length} × ${kind}`)
}
