import { PassThrough } from 'node:stream'
import { type Clock, systemClock } from '../../lib/index.ts'
import { run } from '../../plugins/command-line/program.ts'

/** What a command printed, and what it ended with. */
export interface CommandResult {
  readonly code: number
  readonly out: string
  readonly err: string
  /** The lines of its output, as JSON. */
  readonly json: readonly unknown[]
}

/** Runs a command of the command line in this process, without a terminal. */
export async function command(
  args: readonly string[],
  {
    env = {},
    input = '',
    clock = systemClock,
    signal = new AbortController().signal,
  }: {
    readonly env?: Readonly<Record<string, string>>
    readonly input?: string
    readonly clock?: Clock
    readonly signal?: AbortSignal
  } = {},
): Promise<CommandResult> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end(input)
  const [out, err] = [collected(stdout), collected(stderr)]
  const code = await run(args, { env, stdin, stdout, stderr, clock, signal })
  stdout.end()
  stderr.end()
  const text = await out
  return {
    code,
    out: text,
    err: await err,
    get json() {
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as unknown)
    },
  }
}

async function collected(stream: PassThrough): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}
