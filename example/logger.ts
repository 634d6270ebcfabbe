import { type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

/**
 * Readable lines. pino-pretty is a stream in this process, not a worker, so that the last line before an end is seen.
 * In production leave it out: pino writes JSON.
 */
export function makeLogger(level: string): Logger {
  const stream = pretty({
    colorize: process.stdout.isTTY ?? false,
    // What the message says as well, and what nobody looks at here.
    ignore: 'pid,hostname,app,client_id,delivery,took_ms',
    messageFormat: '{app}: {msg}',
    singleLine: true,
    sync: true,
    translateTime: 'SYS:HH:MM:ss.l',
  })
  return pino({ level }, stream)
}
