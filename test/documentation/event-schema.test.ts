import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Event } from '../../lib/index.ts'
import { REASONS } from '../../plugins/back-channel-logout/reasons.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'
import { wholeFlow } from '../support/whole-flow.ts'
import { root } from './snippets.ts'

const page = readFileSync(join(root, 'docs/event-schema.md'), 'utf8')
/** The fields that the page lists, by event type. */
const listed = new Map(
  [...page.matchAll(/^\| `([a-z_.]+)` \| ((?:`\w+`(?:, )?)+) \|/gm)].map(([, type = '', fields = '']) => [
    type,
    new Set([...fields.matchAll(/`(\w+)`/g)].map(([, field = '']) => field)),
  ]),
)

describe('the event schema', () => {
  it('lists every type of event that the sources name, and no other', () => {
    const sources = ['lib', 'plugins/back-channel-logout'].flatMap(sourcesIn).join('\n')
    const dotted = sources.matchAll(
      /'((?:session_logout|termination|feature|network_permission|delivery_pause|planner|account)\.[a-z_.]*[a-z_])'/g,
    )
    const [, ofModels = ''] = /type ModelEventType = ([^\n]+)/.exec(sources) ?? []
    const named = [...dotted, ...ofModels.matchAll(/'(\w+)'/g)].map(([, type = '']) => type)
    assert.deepEqual([...listed.keys()].sort(), [...new Set(named)].sort())
  })

  it('lists every field of a session logout and of a termination', () => {
    for (const file of ['recording/session-logout-events.ts', 'ending/termination-events.ts']) {
      const source = readFileSync(join(root, 'plugins/back-channel-logout', file), 'utf8')
      const interfaces = new Map(
        [...source.matchAll(/interface (\w+)(?: extends (\w+))? \{([\s\S]*?)\n\}/g)].map(
          ([, name = '', base, body = '']) => [name, { base, body }],
        ),
      )
      const fieldsOf = (name: string): string[] => {
        const { base, body = '' } = interfaces.get(name) ?? {}
        const own = [...body.matchAll(/readonly (\w+)\??:/g)].map(([, field = '']) => field)
        return [...(base === undefined ? [] : fieldsOf(base)), ...own]
      }
      let count = 0
      for (const [name, { body }] of interfaces) {
        const type = /readonly type: '([^']+)'/.exec(body)?.[1]
        if (type === undefined) continue
        count += 1
        const fields = new Set(fieldsOf(name).filter((field) => field !== 'type'))
        assert.deepEqual([...(listed.get(type) ?? [])].sort(), [...fields].sort(), type)
      }
      assert.ok(count >= 3)
    }
    for (const reason of REASONS) assert.ok(page.includes(`\`${reason}\``), reason)
  })

  it('lists every stream and every field of an OP at work', async () => {
    const scene = await LogoutScene.start(
      { rp: {}, two: {} },
      { configuration: { scopes: ['openid', 'offline_access'] } },
    )
    try {
      await work(scene)
      const events = (await scene.log()).flatMap((commit) => commit.events)
      assert.ok(new Set(events.map(({ type }) => type)).size > 14)
      for (const event of events) assertListed(event)
    } finally {
      await scene.stop()
    }
  })
})

async function work({ op, logout, rps }: LogoutScene<'rp' | 'two'>): Promise<void> {
  for await (const _ of wholeFlow(op, rps.rp.metadata));
  const alice = new Person(op)
  await alice.authorize('rp')
  await alice.authorize('two')
  const actor = 'anna'
  await logout.terminateAccount('alice', { actor, reason: 'signed_out_everywhere' })
  await op.eventSourced.features.set('back_channel_logout', true, { level: 'instance', actor })
  await op.eventSourced.features.reset('back_channel_logout', { level: 'instance', actor })
  await logout.network.allow('rp', { actor })
  await logout.network.disallow('two', { actor })
  await logout.pause({ client: 'rp' }, { actor })
  await logout.resume({ client: 'rp' }, { actor })
  await op.eventSourced.forget('alice', { actor, settleMs: 0 })
}

function assertListed({ stream, also = [], type, data }: Event): void {
  const fields = listed.get(type)
  for (const field of Object.keys(data)) assert.ok(fields?.has(field), `${field} of ${type} is not listed`)
  for (const name of [stream, ...also]) {
    const [kind = ''] = name.split(':')
    const isModel = /^[A-Z]/.test(kind)
    assert.ok(isModel || page.includes(`\`${kind}:…\``) || kind === 'accounts_forgotten', `${kind}: is not listed`)
  }
}

function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(root, folder, name), 'utf8'))
}
