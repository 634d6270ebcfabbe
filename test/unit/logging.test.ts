import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { componentLogger, eventSourced, type Logger } from '../../lib/index.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** In `#logOnce`, whose callers give the event as a literal. */
const LOGGED_ONCE = '{ event }, message'

/** A line that the source writes. */
interface Written {
  readonly event: string
  readonly level: string
  /** Fields that it names, besides those that it takes over from elsewhere. */
  readonly fields: readonly string[]
}

describe('log lines', () => {
  const sources = ['lib', 'adapters', 'plugins'].flatMap(sourcesIn)

  it('have an event each, which is a literal', () => {
    const nameless = sources.flatMap(({ name, text }) =>
      callsIn(text)
        .filter(({ call }) => eventsIn(call).length === 0 && call !== LOGGED_ONCE)
        .map(({ call }) => `${name}: ${call.slice(0, 80)}`),
    )
    assert.deepEqual(nameless, [])
  })

  it('are listed in docs/logging.md, with their levels and fields, and nothing else is', () => {
    const written = new Map<string, { readonly levels: Set<string>; readonly fields: Set<string> }>()
    for (const { event, level, fields } of sources.flatMap(({ text }) => writtenIn(text))) {
      const one = written.get(event) ?? { levels: new Set(), fields: new Set() }
      written.set(event, one)
      one.levels.add(level)
      for (const field of fields) one.fields.add(field)
    }
    assert.ok(written.size > 60)
    const listed = listedIn(readFileSync(join(root, 'docs/logging.md'), 'utf8'))
    assert.deepEqual([...listed.keys()].sort(), [...written.keys()].sort())
    for (const [event, { levels, fields }] of written) {
      const row = listed.get(event)
      assert.deepEqual([row?.level], [...levels], event)
      for (const field of fields)
        if (field !== 'component') assert.ok(row?.fields.includes(field), `${event} has a field ${field}`)
      assert.ok((row?.meaning.length ?? 0) > 10 && (row?.whatToDo.length ?? 0) > 3, event)
    }
  })

  it('are of parts that docs/logging.md names, and it names no others', () => {
    const parts = [...readFileSync(join(root, 'lib/logger.ts'), 'utf8').matchAll(/^ {2}\| '(\w+)'$/gm)]
    const guide = readFileSync(join(root, 'docs/logging.md'), 'utf8')
    const section = guide.slice(guide.indexOf('## Components'), guide.indexOf('## Events'))
    assert.deepEqual(
      [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name).sort(),
      parts.map(([, name]) => name).sort(),
    )
  })
})

describe('the logger of a part', () => {
  it('is a child of pino, and adds its name once, also where one part makes another', () => {
    const lines: string[] = []
    const logger: Logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) })
    const planner = componentLogger(componentLogger(logger, 'store'), 'planner')
    for (const level of LEVELS) planner[level]({ event: 'happened', position: 7 }, 'it happened')
    assert.equal(lines.length, 4)
    for (const line of lines) {
      assert.equal(line.match(/"component":/g)?.length, 1)
      const { component, event, position, msg } = JSON.parse(line) as Record<string, unknown>
      assert.deepEqual([component, event, position, msg], ['planner', 'happened', 7, 'it happened'])
    }
  })

  it('gives its name with each line where the logger has four methods and no more', () => {
    const lines: [string, object, string][] = []
    const of = (level: string) => (fields: object, message: string) => void lines.push([level, fields, message])
    const logger: Logger = { debug: of('debug'), info: of('info'), warn: of('warn'), error: of('error') }
    const part = componentLogger(logger, 'dispatcher')
    for (const level of LEVELS) part[level]({ event: 'happened' }, 'it happened')
    assert.deepEqual(
      lines,
      LEVELS.map((level) => [level, { component: 'dispatcher', event: 'happened' }, 'it happened']),
    )
  })

  it('is made of one that only warns, as long as it is only asked to', () => {
    const lines: object[] = []
    const logger = { warn: (fields: object) => void lines.push(fields) } as unknown as Logger
    componentLogger(logger, 'store').warn({ event: 'happened' }, 'it happened')
    assert.deepEqual(lines, [{ component: 'store', event: 'happened' }])
  })

  it('is what an OP gives to its parts', async () => {
    const components = new Set<unknown>()
    const write = (line: string): void =>
      void components.add((JSON.parse(line) as Record<string, unknown>)['component'])
    const logger = pino({ level: 'debug' }, { write })
    const store = new MemoryEventStore({ logger })
    const op = eventSourced(store, { logger, retention: false })
    const client = { find: async () => undefined, adapter: op.adapter('Client') }
    const provider = { issuer: 'https://op.example.com', use: () => undefined, Client: client, Session: class {} }
    await op.start(provider)
    await op.stop()
    await store.close()
    assert.deepEqual([...components], ['retention'])
  })
})

interface Source {
  readonly name: string
  readonly text: string
}

function sourcesIn(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => `${folder}/${String(name)}`)
    .filter((name) => name.endsWith('.ts') && name !== 'lib/logger.ts')
    .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }))
}

/** Calls of loggers: with their arguments, up to the parenthesis that ends them. */
function callsIn(text: string): { readonly level: string; readonly call: string }[] {
  const found = [...text.matchAll(/(?:logger|#logger)\??\.(debug|info|warn|error)\(/g)]
  return found.map((match) => {
    const begin = match.index + match[0].length
    let depth = 1
    let end = begin
    while (depth > 0 && end < text.length) {
      if (text[end] === '(') depth += 1
      if (text[end] === ')') depth -= 1
      end += 1
    }
    return { level: match[1] ?? '', call: text.slice(begin, end - 1) }
  })
}

/** One; or one of two, where a condition decides. */
function eventsIn(call: string): string[] {
  const [, value = ''] = /\bevent: ([^,}]*)/.exec(call) ?? []
  return [...value.matchAll(/'(\w+)'/g)].map(([, name = '']) => name)
}

function writtenIn(text: string): Written[] {
  const once = [...text.matchAll(/#logOnce\(\s*'(\w+)'/g)].map(([, event = '']) => ({
    event,
    level: 'error',
    fields: [],
  }))
  const calls = callsIn(text).flatMap(({ level, call }) => {
    const fields = call.slice(call.indexOf('{') + 1, call.indexOf('}'))
    const named = [...fields.matchAll(/(?:^|[,{])\s*([a-z]\w*)\s*(?=[:,]|$)/g)].map(([, name = '']) => name)
    return eventsIn(call).map((event) => ({ event, level, fields: named.filter((name) => name !== 'event') }))
  })
  return [...once, ...calls].filter(({ event }) => event !== '')
}

interface Listed {
  readonly level: string
  readonly meaning: string
  readonly whatToDo: string
  readonly fields: string
}

function listedIn(guide: string): Map<string, Listed> {
  const rows = [...guide.matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$/gm)]
  return new Map(
    rows.map(([, event = '', level = '', meaning = '', whatToDo = '', fields = '']) => [
      event,
      { level, meaning, whatToDo, fields },
    ]),
  )
}
