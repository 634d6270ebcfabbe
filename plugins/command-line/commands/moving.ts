import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Layout, MigrationReport, Verification } from '../../../adapters/mongodb/moving/index.ts'
import { EventSourced, type EventStore, EventStoreError, type ProviderLike } from '../../../lib/index.ts'
import type { CommandContext, Register } from '../command-context.ts'
import { databaseAt } from '../connection.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { counted } from '../terminal.ts'

/** What a module of the deployment's own exports: its OP, which does not listen. See docs/guides/moving-in.md. */
interface OpModule {
  readonly store: EventStore
  readonly op: EventSourced
  readonly provider: ProviderLike
  readonly client?: { close(): Promise<void> }
}

interface MigrateOptions {
  readonly from: string
  readonly op?: string
  readonly layout?: string
  readonly tenant?: string
  readonly codes: string
  readonly dryRun?: true
  readonly stopped?: true
  readonly verify?: true
  readonly yes?: true
}

interface ExportOptions {
  readonly to: string
  readonly op: string
  readonly yes?: true
}

/** `migrate` and `export`: moving in from other MongoDB adapters, and out again. */
export const moving: Register = (program, context) => {
  program
    .command('migrate')
    .description(
      'takes over what another MongoDB adapter holds: one pass, which may be repeated. The former database is only read. ' +
        'Ends with 1 where something could not be taken, or differs',
    )
    .requiredOption('--from <address>', 'the former database: mongodb://host/database')
    .option('--op <module>', 'a module of yours that exports your OP: { store, op, provider, client }')
    .option('--layout <file>', 'how the former adapter keeps its state, as JSON; otherwise it is detected')
    .option('--tenant <name>', 'the tenant, where one collection holds several')
    .option('--codes <which>', 'recorded: codes only where their use was recorded; all: all of them', 'recorded')
    .option('--dry-run', 'writes nothing, and reports what a pass would do')
    .option('--stopped', 'the former OP has stopped: what is gone from it is ended here')
    .option('--verify', 'compares the log with the former database, and writes nothing')
    .option('--yes', 'without asking')
    .action((options: MigrateOptions) => migrateWith(options, context()))
  program
    .command('layout')
    .description('how another MongoDB adapter keeps its state, as `migrate --layout` takes it')
    .requiredOption('--from <address>', 'its database: mongodb://host/database')
    .option('--tenant <name>', 'the tenant, where one collection holds several')
    .action(async ({ from, tenant }: Pick<MigrateOptions, 'from' | 'tenant'>) => {
      const { output } = context()
      const { db, close } = await databaseAt(from)
      try {
        const { detectLayout } = await import('../../../adapters/mongodb/moving/index.ts')
        const layout = await detectLayout(db, { ...(tenant !== undefined && { tenant }) })
        output.result(layout, () => JSON.stringify(layout, null, 2))
      } finally {
        await close()
      }
    })
  program
    .command('export')
    .description('writes what lives in the layout of the example adapter of oidc-provider: for leaving')
    .requiredOption('--to <address>', 'a database without such collections: mongodb://host/database')
    .requiredOption('--op <module>', 'a module of yours that exports your OP: { store, op, provider, client }')
    .option('--yes', 'without asking')
    .action(async ({ to, op: module, yes }: ExportOptions) => {
      const { output, confirm, terminal } = context()
      await confirm(`What lives is written to ${nameOf(to)}`, yes)
      const { exportClassic } = await import('../../../adapters/mongodb/moving/index.ts')
      const { db, close } = await databaseAt(to)
      try {
        await withOp(module, async (op) => {
          const report = await exportClassic({
            op,
            to: db,
            signal: terminal.signal,
            onProgress: (written) => output.progress(`${counted(written, 'document')} written`),
          })
          output.result(report, () =>
            Object.entries(report.models)
              .map(
                ([model, { written, expired, withoutId, removed }]) =>
                  `${model}  ${written} written, ${expired} expired, ${removed} removed${withoutId > 0 ? `, ${withoutId} without an id` : ''}`,
              )
              .join('\n'),
          )
        })
      } finally {
        await close()
      }
    })
}

async function migrateWith(
  options: MigrateOptions,
  { output, confirm, terminal, endWith }: CommandContext,
): Promise<void> {
  const { from, tenant, codes, dryRun = false, stopped = false, verify: compares = false } = options
  if (codes !== 'recorded' && codes !== 'all') throw new UsageError('--codes takes recorded or all')
  const needsOp = compares || !dryRun
  if (needsOp && options.op === undefined)
    throw new UsageError(
      '--op is missing: a module of yours that exports your OP, { store, op, provider, client }; a dry run needs none',
    )
  if (!dryRun && !compares) await confirm(`What ${nameOf(from)} holds is taken over`, options.yes)
  const moving = await import('../../../adapters/mongodb/moving/index.ts')
  const { db, close } = await databaseAt(from)
  try {
    const layout =
      options.layout === undefined
        ? await moving.detectLayout(db, { ...(tenant !== undefined && { tenant }) })
        : await readLayout(options.layout)
    const common = {
      from: db,
      layout,
      codes,
      signal: terminal.signal,
      onProgress: ({
        step,
        collection,
        read,
        total,
      }: {
        step: string
        collection: string
        read: number
        total: number | undefined
      }) => output.progress(`${step} ${collection}: ${read}${total === undefined ? '' : ` of about ${total}`}`),
    } as const
    await withOp(options.op, async (op) => {
      if (compares) {
        const report = await moving.verify({ ...common, op: op as EventSourced })
        output.result(report, () => verificationText(report))
        if (!report.agrees) endWith(EXIT.findings)
        return
      }
      const report = await moving.migrate({ ...common, dryRun, stopped, ...(op && { op }) })
      output.result(report, () => reportText(report))
      if (report.anomalies.length > 0) endWith(EXIT.findings)
    })
  } finally {
    await close()
  }
}

/** Starts the OP of a module, and stops it. Without one there is none. */
async function withOp<T extends string | undefined>(
  path: T,
  work: (op: T extends string ? EventSourced : EventSourced | undefined) => Promise<void>,
): Promise<void> {
  const carryOut = work as (op: EventSourced | undefined) => Promise<void>
  if (path === undefined) return carryOut(undefined)
  const module = await loadOp(path)
  const { store, op, provider, client } = module
  if (!(op instanceof EventSourced) || store === undefined || provider === undefined)
    throw new UsageError(`${path} must export { store, op, provider, client }: what the guide for moving in describes`)
  try {
    await op.start(provider)
    await carryOut(op)
  } finally {
    await op.stop()
    await store.close()
    await client?.close()
  }
}

async function loadOp(path: string): Promise<Partial<OpModule>> {
  try {
    return (await import(pathToFileURL(resolve(path)).href)) as Partial<OpModule>
  } catch (cause) {
    if (cause instanceof EventStoreError) throw cause
    throw new UsageError(`${path} cannot be loaded: ${(cause as Error).message}`, { cause })
  }
}

async function readLayout(file: string): Promise<Layout> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Layout
  } catch (cause) {
    throw new UsageError(`${file} is no layout: ${(cause as Error).message}`, { cause })
  }
}

/** Without a password. */
function nameOf(uri: string): string {
  return uri.replace(/\/\/.*@/, '//')
}

function reportText({ dryRun, models, anomalies }: MigrationReport): string {
  const lines = Object.entries(models).map(
    ([model, counts]) =>
      `${model}  ${Object.entries(counts)
        .filter(([, count]) => Number(count) > 0)
        .map(([what, count]) => `${count} ${what}`)
        .join(', ')}`,
  )
  return [
    dryRun ? 'A pass would do this:' : 'This pass:',
    ...lines,
    ...anomalies.map(({ code, count, samples }) => `! ${code}  ${count}  ${samples.join(', ')}`),
  ].join('\n')
}

function verificationText({ agrees, models, differences }: Verification): string {
  const lines = Object.entries(models).map(
    ([model, { live, same, older, kept, different, sampled }]) =>
      `${model}  ${live} live: ${same} the same, ${older} older, ${kept} written here since, ${different} different; ${sampled} asked for through both adapters`,
  )
  return [agrees ? 'Nothing is missing, and nothing differs.' : 'They differ:', ...lines, ...differences].join('\n')
}
