import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { holdRows } from '../../plugins/admin-console/ui/list/held-rows.ts'
import { duration, exactTime, relativeTime } from '../../plugins/admin-console/ui/parts/time-text.ts'
import { changesOf, draftOf, fieldOf } from '../../plugins/admin-console/ui/screens/clients/client-draft.ts'
import { daySeries } from '../../plugins/admin-console/ui/screens/overview/day-series.ts'
import { Failure, failureOf } from '../../plugins/admin-console/ui/server/failure.ts'
import { buildConsole, type ConsoleManifest, gzipBytesOf, MAX_GZIP_BYTES } from '../../scripts/build-console.mjs'
import { fixtureData } from './admin-console-data.ts'

describe('the assets of the admin console', () => {
  let folder: string
  let manifest: ConsoleManifest

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'admin-console-assets-'))
    manifest = await buildConsole(folder)
  })

  after(() => rm(folder, { recursive: true, force: true }))

  it('are under 60 KB together, compressed', () => {
    const bytes = gzipBytesOf(manifest)
    assert.equal(MAX_GZIP_BYTES, 60 * 1024)
    assert.ok(bytes < MAX_GZIP_BYTES, `${bytes} bytes`)
  })

  it('are all in the manifest, and nothing else is in the folder', async () => {
    const files = (await readdir(folder)).filter((name) => name !== 'manifest.json')
    assert.deepEqual(files.sort(), Object.keys(manifest.files).sort())
    for (const name of [manifest.script, manifest.style, manifest.icon]) assert.ok(manifest.files[name], name)
  })

  it('have names that change with their content alone', async () => {
    const again = await mkdtemp(join(tmpdir(), 'admin-console-assets-'))
    try {
      assert.deepEqual(await buildConsole(again), manifest)
    } finally {
      await rm(again, { recursive: true, force: true })
    }
    for (const name of Object.keys(manifest.files)) assert.match(name, /-[\dA-Za-z]{8}\.(js|css|svg)$/)
  })

  it('name no other place, bring no source maps, and make no HTML or code from text', async () => {
    for (const name of Object.keys(manifest.files)) {
      const text = await readFile(join(folder, name), 'utf8')
      const places = text.match(/https?:\/\/[^\s"'`)]+/g) ?? []
      const known = places.filter((place) => !place.startsWith('http://www.w3.org/'))
      assert.deepEqual(known, [], name)
      assert.doesNotMatch(text, /sourceMappingURL|\beval\(|new Function|insertAdjacentHTML|document\.write/, name)
    }
  })
})

describe('rows of a list that is in the operator’s hand', () => {
  const row = (key: string, value = 0) => ({ key, value })
  const keyOf = ({ key }: { readonly key: string }) => key

  it('stay where they are, with what is known of them by now', () => {
    const held = holdRows([row('a'), row('b')], [row('new'), row('b', 2), row('a', 1)], keyOf)
    assert.deepEqual(held, { rows: [row('a', 1), row('b', 2)], added: 1, gone: new Set() })
  })

  it('are marked where they are gone', () => {
    const held = holdRows([row('a'), row('b')], [row('b')], keyOf)
    assert.deepEqual([held.rows, held.added, [...held.gone]], [[row('a'), row('b')], 0, ['a']])
  })

  it('never move, whatever comes', () => {
    const keys = fc.uniqueArray(fc.constantFrom(...'abcdefghij'))
    fc.assert(
      fc.property(keys, keys, (shown, newest) => {
        const held = holdRows(
          shown.map((key) => row(key)),
          newest.map((key) => row(key, 1)),
          keyOf,
        )
        assert.deepEqual(held.rows.map(keyOf), shown)
        assert.equal(shown.length - held.gone.size + held.added, newest.length)
      }),
    )
  })
})

describe('times on the pages', () => {
  const NOW = Date.UTC(2026, 0, 15, 12)

  it('are told by how long ago they were, or when they will be', () => {
    const told = [0, -4_000, -42_000, 90_000, -3 * 3_600_000, 50 * 3_600_000].map((ms) => relativeTime(NOW + ms, NOW))
    assert.deepEqual(told, ['now', 'now', '42 s ago', 'in 1 min', '3 h ago', 'in 2 d'])
  })

  it('are told for durations of any size', () => {
    const told = [0, 850, 4_230, 42_000, 200_000, 7_500_000, 273_600_000].map(duration)
    assert.deepEqual(told, ['0 ms', '850 ms', '4.2 s', '42 s', '3 min', '2 h 5 min', '3 d 4 h'])
  })

  it('are unknown where they are no times', () => {
    for (const at of [Number.NaN, Number.POSITIVE_INFINITY, 9e15]) assert.equal(exactTime(at), 'unknown')
  })
})

describe('the quarters of an hour of the last day', () => {
  const { statistics } = fixtureData(100).overview
  const QUARTER = 900_000

  it('are all there, also those in which nothing happened', () => {
    assert.ok(statistics)
    const quarters = statistics.quarters.filter((_, index) => index % 10 === 5)
    const series = daySeries({ ...statistics, quarters })
    assert.equal(series.from.length, 96)
    assert.ok(series.from.every((from, index) => index === 0 || from - (series.from[index - 1] ?? 0) === 900))
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
    assert.equal(sum(series.logouts), sum(quarters.map(({ logouts }) => logouts)))
  })

  it('are no more than a day has, whatever the server says', () => {
    assert.ok(statistics)
    const { length } = daySeries({ ...statistics, since: 0, until: statistics.until, quarters: [] }).from
    assert.ok(length <= 98, String(length))
    assert.equal(daySeries({ ...statistics, since: QUARTER * 9, until: 0, quarters: [] }).from.length, 1)
  })
})

describe('the form of a client', () => {
  const metadata = {
    backchannel_logout_uri: 'https://rp.example.com/logout',
    backchannel_logout_session_required: true,
  }

  it('changes nothing that was not touched', () => {
    assert.deepEqual(changesOf(metadata, draftOf(metadata)), {})
    assert.deepEqual(changesOf({}, draftOf({})), {})
  })

  it('removes what is emptied, and sets what is filled in', () => {
    const draft = draftOf(metadata)
    const changed = {
      uri: ' ',
      initiators: 'rp_initiated, admin',
      flags: { ...draft.flags, backchannel_logout_session_required: '', backchannel_logout_goes_by_sub: 'false' },
    }
    assert.deepEqual(changesOf(metadata, changed), {
      backchannel_logout_uri: null,
      backchannel_logout_initiators: ['rp_initiated', 'admin'],
      backchannel_logout_session_required: null,
      backchannel_logout_goes_by_sub: false,
    })
  })

  it('finds the field that the server’s message is about', () => {
    const failure = new Failure('refused', '"changes.backchannel_logout_uri" must be an https URI')
    assert.equal(fieldOf(failure), 'backchannel_logout_uri')
    assert.equal(fieldOf(new Failure('refused', 'somebody has changed it')), undefined)
  })
})

describe('an answer that is none', () => {
  it('is told by its kind, also where a proxy answers', () => {
    const body = { error: { code: 'NOT_SIGNED_IN', message: 'sign in' } }
    const { kind, code, message } = failureOf(401, body)
    assert.deepEqual([kind, code, message], ['signedOut', 'NOT_SIGNED_IN', 'sign in'])
    assert.deepEqual(
      [failureOf(502, undefined).kind, failureOf(502, '<html>').message],
      ['failed', 'the server answered 502'],
    )
    assert.deepEqual(
      [403, 404, 409, 429, 503].map((status) => failureOf(status, body).kind),
      ['forbidden', 'notFound', 'refused', 'refused', 'failed'],
    )
  })
})
