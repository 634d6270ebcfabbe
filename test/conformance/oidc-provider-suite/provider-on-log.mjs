// oidc-provider's tests look into their adapter without waiting (`TestAdapter.for('Session').syncFind(id)`), and change
// what it holds (`syncUpdate`). So each provider of theirs has both: the log, which answers the provider, and their own
// adapter, which is told the same and answers the tests. What a test changes there is stored on the log as well.
import { appendFileSync } from 'node:fs'
import process from 'node:process'
import { eventSourced, silent } from 'oidc-provider-eventstore'
import { MemoryEventStore } from 'oidc-provider-eventstore/adapters/memory'

const WRITES = ['upsert', 'consume', 'destroy', 'revokeByGrantId']
const READS = ['find', 'findByUid', 'findByUserCode']

/** What of the run was on the log: providers, and commits of theirs. */
const counts = { providers: 0, commits: 0 }

/** The class with which tests make their providers: with their own adapter it is on the log, else as it was. */
export function providerOnLog(Provider) {
  const OnLog = class Provider_ extends Provider {
    constructor(issuer, configuration, ...rest) {
      const tests = configuration?.adapter
      if (!isAdapterOfTests(tests)) {
        super(issuer, configuration, ...rest)
        return
      }
      const store = new CountedStore()
      const op = eventSourced(store, { logger: silent, retention: false })
      const { adapter: _, ...others } = configuration
      const complete = op.configure(others)
      super(issuer, { ...complete, adapter: (model) => mirrored(complete.adapter(model), tests.for(model)) }, ...rest)
      counts.providers += 1
      op.start(this).catch((error) => {
        console.error(error)
        process.exitCode = 1
      })
    }
  }
  Object.defineProperty(OnLog, 'name', { value: Provider.name })
  return OnLog
}

class CountedStore extends MemoryEventStore {
  async append(...args) {
    const appended = await super.append(...args)
    counts.commits += 1
    return appended
  }
}

function isAdapterOfTests(adapter) {
  return typeof adapter === 'function' && typeof adapter.for === 'function' && 'syncFind' in (adapter.prototype ?? {})
}

/** The log's adapter of a model, which tells the tests' own. */
function mirrored(onLog, ofTests) {
  const link = linkOf(ofTests)
  link.onLog = Object.fromEntries([...WRITES, ...READS].map((name) => [name, onLog[name].bind(onLog)]))
  for (const name of WRITES) {
    onLog[name] = async (...args) => {
      await link.settled
      // The tests' first: it checks what it is given, and spies on its methods count calls.
      await link.withoutEcho(() => ofTests[name](...args))
      return link.onLog[name](...args)
    }
  }
  for (const name of READS) {
    onLog[name] = async (...args) => {
      await link.settled
      await ofTests[name](...args)
      return link.onLog[name](...args)
    }
  }
  return onLog
}

/** What ties a model of the tests' adapter to the log of the provider that was made last. */
const links = new WeakMap()

function linkOf(ofTests) {
  let link = links.get(ofTests)
  if (link === undefined) {
    link = { onLog: undefined, settled: Promise.resolve(), isEcho: false, withoutEcho }
    links.set(ofTests, link)
    echoWrites(ofTests, link)
  }
  return link
}

/** Runs a write of the log's adapter at the tests' own: it is not to come back. Their adapters write before they wait. */
function withoutEcho(write) {
  this.isEcho = true
  try {
    return write()
  } finally {
    this.isEcho = false
  }
}

/** What tests write to their adapter is stored on the log, before the next look at it. */
function echoWrites(ofTests, link) {
  const original = Object.fromEntries([...WRITES, 'syncUpdate'].map((name) => [name, ofTests[name].bind(ofTests)]))
  const store = (name, args) => {
    const stored = link.settled.then(() => link.onLog?.[name](...args))
    link.settled = stored.catch(() => {})
    return stored
  }
  for (const name of WRITES) {
    ofTests[name] = async (...args) => {
      const isEcho = link.isEcho
      const answer = await original[name](...args)
      if (!isEcho) await store(name, args)
      return answer
    }
  }
  ofTests.syncUpdate = (id, update) => {
    original.syncUpdate(id, update)
    const changed = ofTests.syncFind(id)
    if (changed !== undefined) store('upsert', [id, changed]).catch(() => {})
  }
}

const report = process.env.EVENTSTORE_SUITE_REPORT
if (report !== undefined) process.once('exit', () => appendFileSync(report, `${JSON.stringify(counts)}\n`))
