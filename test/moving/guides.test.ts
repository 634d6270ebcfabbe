import assert from 'node:assert/strict'
import type { AdapterPayload } from 'oidc-provider'
import Provider from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type {
  DetectedLayout,
  ExportReport,
  MigrationReport,
  Verification,
} from '../../adapters/mongodb/moving/index.ts'
import { type EventStore, eventSourced, silent } from '../../lib/index.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { GuideCode } from '../support/guide-code.ts'
import { type OpenedDatabase, openDatabase } from '../support/mongo-database.ts'
import { testConfiguration, withoutNotices } from '../support/op.ts'
import { FIFTEEN } from './fifteen-layouts.ts'
import { FormerAdapter } from './former-adapter.ts'
import { use } from './guide-op.ts'

const [{ style } = { style: undefined as never }] = FIFTEEN
const OP_MODULE = { "'./op.js'": `'${new URL('guide-op.ts', import.meta.url)}'` }

describe('the code of the guides about moving in and leaving, run as it stands', () => {
  let former: OpenedDatabase
  let target: OpenedDatabase
  let store: EventStore
  let movingIn: GuideCode
  let leaving: GuideCode
  const said: unknown[] = []
  const closed: string[] = []
  const { log, table } = console

  before(async () => {
    former = await openDatabase('former')
    target = await openDatabase('classic')
    store = new MemoryEventStore()
    movingIn = await GuideCode.read('docs/guides/moving-in.md')
    leaving = await GuideCode.read('docs/guides/leaving.md')
    console.log = console.table = (what: unknown) => said.push(what)
  })

  after(async () => {
    Object.assign(console, { log, table })
    await Promise.all([movingIn.remove(), leaving.remove(), store.close(), former.drop(), target.drop()])
  })

  /** What `./op.js` makes, anew for each script: each closes what it has used. */
  async function newOp(): Promise<void> {
    closed.length = 0
    const op = eventSourced(store, { logger: silent })
    const configuration = await testConfiguration({})
    const provider = withoutNotices(() => new Provider('https://op.example.com', op.configure(configuration)))
    const closing = (what: string) => async () => void closed.push(what)
    const client = { db: (name: string) => (name === 'former' ? former.db : target.db), close: closing('client') }
    use({ client, store: { close: closing('store') }, op, provider })
  }

  async function run<T>(guide: GuideCode, heading: string, file: string): Promise<T> {
    await newOp()
    const exported = (await guide.run(heading, { file, values: OP_MODULE })) as T
    assert.deepEqual(closed, ['store', 'client'], `the script of "${heading}" would not end`)
    return exported
  }

  async function put(model: 'Grant' | 'RefreshToken' | 'Session', more: object = {}): Promise<string> {
    const id = newId()
    await new FormerAdapter(former.db, model, style).upsert(
      id,
      { ...sample(model, id), ...more } as AdapterPayload,
      3_600,
    )
    return id
  }

  it('looks, tries, moves, switches and leaves', async () => {
    const grantId = await put('Grant')
    await put('RefreshToken', { grantId, consumed: 1_700_000_000 })
    const session = await put('Session')
    const { layout } = await run<{ layout: DetectedLayout }>(movingIn, 'Look at the layout', 'look.js')
    assert.equal(layout.collections.length, 3)
    const dry = await run<{ report: MigrationReport }>(movingIn, 'Try it', 'try.js')
    assert.equal(dry.report.models['Grant']?.stored, 1)
    assert.equal(await store.end(), 0)
    const moved = await run<{ report: MigrationReport }>(movingIn, 'Move', 'move.js')
    assert.equal(moved.report.models['Session']?.stored, 1)

    await new FormerAdapter(former.db, 'Session', style).destroy(session)
    await put('Session')
    const { report, verification } = await run<{ report: MigrationReport; verification: Verification }>(
      movingIn,
      'The switch',
      'switch.js',
    )
    assert.deepEqual([report.models['Session']?.stored, report.models['Session']?.ended], [1, 1])
    assert.ok(verification.agrees)
    assert.deepEqual(movingIn.leftOut, [])

    const { models } = await run<ExportReport>(leaving, 'Export', 'leave.js')
    assert.deepEqual(
      Object.entries(models)
        .map(([model, { written }]) => [model, written])
        .sort(),
      [
        ['Grant', 1],
        ['RefreshToken', 1],
        ['Session', 1],
      ],
    )
    assert.equal(await target.db.collection('session').countDocuments(), 1)
    assert.deepEqual(leaving.leftOut, [])
    assert.ok(said.length > 5)
  })
})
