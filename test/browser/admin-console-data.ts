import type { FeatureState } from 'oidc-provider-eventstore'
import type {
  DeadLetter,
  Health,
  LiveSession,
  LogoutFigures,
  LogoutTimeline,
  ParkedCommit,
  PendingDelivery,
  Receipt,
  TerminationStatus,
} from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type {
  ClientDetail,
  ClientRow,
  CommitRow,
  LogoutDetail,
  Overview,
} from '../../plugins/admin-console/api/contract.ts'

/** An OP as the console's fixture server tells of it: nothing of it is stored, every row is made from its number. */
export interface FixtureData {
  readonly now: number
  readonly sessions: Rows<LiveSession>
  readonly clients: Rows<ClientRow>
  readonly logouts: Rows<Receipt>
  readonly deadLetters: Rows<DeadLetter>
  readonly pending: Rows<PendingDelivery>
  readonly parked: Rows<ParkedCommit>
  readonly terminations: Rows<TerminationStatus>
  readonly log: Rows<CommitRow>
  readonly features: readonly FeatureState[]
  readonly overview: Overview
  client(clientId: string): ClientDetail
  logout(sessionUid: string): LogoutDetail
}

export interface Rows<T> {
  readonly length: number
  row(index: number): T
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE

const CLIENTS = [
  'shop',
  'intranet',
  'mail',
  'wiki',
  'billing',
  'crm',
  'helpdesk',
  'payroll',
  'calendar',
  'legacy-portal',
]
const PEOPLE = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'judy', 'mallory', 'niaj']
const ANSWERS = [
  { status: 500, answer: '{"error":"internal_server_error","trace":"5f0c9f2e"}' },
  { status: 503, answer: 'upstream connect error or disconnect/reset before headers' },
  { error: 'connect ECONNREFUSED 203.0.113.7:443' },
  { status: 400, answer: '{"error":"invalid_request","error_description":"unknown session"}' },
] as const

/**
 * An OP with so many live sessions; zero: one at which nothing has happened.
 *
 * @param text what stands in for every text that users, RPs or operators have a say in
 */
export function fixtureData(sessions: number, text: (usual: string) => string = (usual) => usual): FixtureData {
  const now = Date.now()
  const isEmpty = sessions === 0
  const some = (many: number) => (isEmpty ? 0 : many)
  const clientOf = (index: number) => text(CLIENTS[index] ?? `team-${String(index).padStart(3, '0')}.apps.example`)
  const personOf = (index: number) =>
    text(index < PEOPLE.length ? (PEOPLE[index] ?? '') : `user-${String(index).padStart(6, '0')}`)
  const uidOf = (index: number) => text(`vK${index.toString(36).padStart(5, '0')}Qm3TzX8fHnWcR2`)
  const sidOf = (index: number) => text(`s${index.toString(36).padStart(6, '0')}-Zq81Lp`)

  const clients: Rows<ClientRow> = { length: some(130), row: (index) => clientRow(clientOf(index), index, now, text) }
  const deadLetters: Rows<DeadLetter> = {
    length: some(1_240),
    row: (index) => {
      const isRefused = index % 4 === 3
      return {
        delivery: `${4_000 + index}.${index % 3}`,
        sessionUid: uidOf(index),
        clientId: clientOf([9, 4, 9, 9, 2][index % 5] ?? 9),
        sid: sidOf(index),
        reason: index % 3 === 0 ? 'rp_initiated' : 'admin',
        endedAt: now - index * 7 * MINUTE - 29 * HOUR,
        at: now - index * 7 * MINUTE - 12 * MINUTE,
        state: isRefused ? 'rejected' : 'abandoned',
        failureReason: isRefused ? 'refused' : index % 7 === 0 ? 'expired' : 'budget_spent',
        attempts: isRefused ? 1 : 11,
        ...answerOf(index, text),
        replays: index % 11 === 0 ? 1 : 0,
      }
    },
  }
  const pending: Rows<PendingDelivery> = {
    length: some(38_200),
    row: (index) => ({
      delivery: `${9_000 + index}.0`,
      sessionUid: uidOf(index + 50),
      clientId: clientOf(index % 3 === 0 ? 9 : 4),
      sid: sidOf(index + 50),
      reason: 'rp_initiated',
      endedAt: now - (index % 300) * MINUTE - 4_000,
      attempts: index % 5,
      inHand: index < 2,
      dueAt: now + (index - 8) * 20_000,
      expiresAt: now + 44 * HOUR,
      ...(index % 5 > 0 && answerOf(index, text)),
      replays: 0,
    }),
  }
  const data: Omit<FixtureData, 'overview'> = {
    now,
    clients,
    deadLetters,
    pending,
    sessions: {
      length: sessions,
      row: (index) => ({
        uid: uidOf(index),
        accountId: personOf(index),
        since: now - (index % 900) * 11 * MINUTE,
        expiresAt: now + 14 * 24 * HOUR - index * 1_000,
        logins: Array.from({ length: 1 + (index % 5) }, (_, nth) => ({
          clientId: clientOf((index + nth * 3) % CLIENTS.length),
          sid: sidOf(index * 5 + nth),
          hasBackchannelLogout: nth !== 3,
        })),
      }),
    },
    logouts: { length: some(52_000), row: (index) => receiptOf(uidOf(index), index, now, clientOf, sidOf, text) },
    parked: {
      length: some(3),
      row: (index) => ({
        position: 81_204 + index * 17,
        at: now - index * HOUR - 3 * MINUTE,
        failureReason: text('the session’s state was sealed with key 2025-03, which this process does not have'),
      }),
    },
    terminations: { length: some(140), row: (index) => terminationOf(index, now, personOf, clientOf, text) },
    log: { length: some(100_000), row: (index) => commitOf(index, now, uidOf, clientOf, text) },
    features: featuresOf(isEmpty, now, text),
    client: (clientId) => {
      const index = Math.max(0, CLIENTS.indexOf(clientId))
      return clientDetail(clientRow(clientId, index, now, text), uidOf(60), text)
    },
    logout: (sessionUid) => logoutDetail(sessionUid, now, clientOf, sidOf, text),
  }
  return { ...data, overview: overviewOf(data, isEmpty, clientOf, text) }
}

type Text = (usual: string) => string
type Named = (index: number) => string

function answerOf(index: number, text: Text): { status?: number; answer?: string; error?: string } {
  const usual = ANSWERS[index % ANSWERS.length] ?? ANSWERS[0]
  return 'error' in usual ? { error: text(usual.error) } : { status: usual.status, answer: text(usual.answer) }
}

function clientRow(clientId: string, index: number, now: number, text: Text): ClientRow {
  const isBroken = index === 9
  const isPaused = index === 4
  if (index % 9 === 8) return { clientId, pending: 0, circuit: 'closed' }
  const pending = isBroken ? 25_466 : isPaused ? 12_734 : index % 17 === 0 ? 3 : 0
  return {
    clientId,
    pending,
    ...(pending > 0 && { oldestPendingAt: now - (isBroken ? 5 * HOUR : 52 * MINUTE) }),
    circuit: isBroken ? 'open' : 'closed',
    ...(isPaused && { paused: { clientId, actor: text('anna'), at: now - 52 * MINUTE } }),
    statistics: {
      confirmed: isBroken ? 12 : 9_400 - index * 60,
      attemptsFailed: isBroken ? 2_113 : index % 4,
      rejected: isBroken ? 41 : 0,
      abandoned: isBroken ? 173 : 0,
      successRate: isBroken ? 0.005 : 1 - (index % 4) * 0.0013,
      latencyMs: { p50: 38 + index * 3, p95: 190 + index * 12 },
      timeToLogoutMs: { p50: 240 + index, p95: isBroken ? 5_400_000 : 900 + index * 40 },
    },
  }
}

function clientDetail(row: ClientRow, sessionUid: string, text: Text): ClientDetail {
  return {
    ...row,
    ...(row.pending !== 0 && { oldestPendingSession: sessionUid }),
    settings: {
      clientId: row.clientId,
      source: row.clientId === 'mail' ? 'configuration' : 'stored',
      clientName: text('The old portal'),
      metadata: {
        backchannel_logout_uri: text('https://portal.example.com/oidc/backchannel-logout'),
        backchannel_logout_session_required: true,
      },
      isInside: false,
      ...(row.clientId === 'wiki' && { problem: text('backchannel_logout_uri has no host that can be resolved') }),
      delivery: {
        badRequestDelaysMs: [60_000],
        circuit: { failures: 10, minOpenMs: 5_000, maxOpenMs: 300_000 },
        concurrencyPerClient: 8,
        confirmedBy: [200, 204, { status: 400, body: 'partial_logout' }],
        jitter: 0.2,
        maxAgeMs: 48 * HOUR,
        maxRetryAfterMs: 6 * HOUR,
        retryDelaysMs: [
          1_000,
          5_000,
          30_000,
          2 * MINUTE,
          10 * MINUTE,
          30 * MINUTE,
          HOUR,
          3 * HOUR,
          6 * HOUR,
          17 * HOUR,
        ],
        sidOnly: false,
        timeoutMs: 5_000,
        tokenLifetimeSeconds: 120,
      },
      version: 'v1',
    },
  }
}

function receiptOf(sessionUid: string, index: number, now: number, clientOf: Named, sidOf: Named, text: Text): Receipt {
  const at = now - index * 95_000 - 20_000
  const states = [
    'confirmed',
    index % 6 === 2 ? 'pending' : 'confirmed',
    index % 9 === 4 ? 'abandoned' : 'confirmed',
  ] as const
  const relyingParties = states.slice(0, 1 + (index % 3)).map((state, nth) => ({
    clientId: clientOf(state === 'confirmed' ? nth : 9),
    sid: sidOf(index + nth),
    delivery: `${index}.${nth}`,
    state,
    attempts: state === 'abandoned' ? 11 : state === 'pending' ? 4 : 1,
    ...(state === 'confirmed' && { at: at + 220, status: 200, timeToLogoutMs: 220 + nth * 31 }),
    ...(state === 'pending' && { failureReason: text('status 503'), status: 503, nextAttemptAt: now + 90_000 }),
    ...(state === 'abandoned' && { at: now - 4 * MINUTE, failureReason: 'budget_spent', status: 500 }),
  }))
  const isSettled = relyingParties.every(({ state }) => state !== 'pending')
  return {
    sessionUid,
    settled: isSettled,
    ends: [
      {
        reason: index % 8 === 1 ? 'admin' : 'rp_initiated',
        at,
        origin: text('https://op.example.com'),
        scope: index % 13 === 6 ? 'logins' : 'session',
        ...(index % 8 === 1 ? { actor: text('anna') } : { initiatingClient: clientOf(0) }),
        relyingParties,
        ...(relyingParties.every(({ state }) => state === 'confirmed') && { timeToLogoutMs: 282 + (index % 40) }),
      },
    ],
  }
}

function logoutDetail(sessionUid: string, now: number, clientOf: Named, sidOf: Named, text: Text): LogoutDetail {
  const ended = now - 3 * HOUR
  const common = { delivery: '812.1', clientId: clientOf(9) }
  const entries: LogoutTimeline['entries'] = [
    { kind: 'registered', at: ended - 6 * HOUR, position: 640, clientId: clientOf(0), sid: sidOf(1) },
    { kind: 'registered', at: ended - 5 * HOUR, position: 671, clientId: clientOf(9), sid: sidOf(2) },
    {
      kind: 'ended',
      at: ended,
      position: 812,
      reason: 'rp_initiated',
      scope: 'session',
      origin: text('https://op.example.com'),
      initiatingClient: clientOf(0),
      beside: ['Session destroyed', 'Grant revoked', 'AccessToken revoked'],
      deliveries: [
        { delivery: '812.0', clientId: clientOf(0), sid: sidOf(1) },
        { delivery: '812.1', clientId: clientOf(9), sid: sidOf(2) },
      ],
    },
    {
      kind: 'confirmed',
      at: ended + 241,
      position: 813,
      delivery: '812.0',
      clientId: clientOf(0),
      attempt: 1,
      replays: 0,
      status: 200,
      tookMs: 61,
      timeToLogoutMs: 241,
    },
    {
      kind: 'attempt_failed',
      at: ended + 5_200,
      position: 815,
      ...common,
      attempt: 1,
      replays: 0,
      error: text('no answer within 5 s'),
      nextAttemptAt: ended + 6_300,
    },
    {
      kind: 'attempt_failed',
      at: ended + 6_420,
      position: 819,
      ...common,
      attempt: 2,
      replays: 0,
      status: 503,
      answer: text('<html><body>Service unavailable</body></html>'),
      nextAttemptAt: ended + 12_000,
    },
    {
      kind: 'abandoned',
      at: ended + 2 * HOUR,
      position: 901,
      ...common,
      attempts: 11,
      replays: 0,
      failureReason: 'budget_spent',
      status: 500,
      answer: text('{"error":"internal_server_error"}'),
    },
    { kind: 'replayed', at: now - 9 * MINUTE, position: 977, ...common, actor: text('anna'), replays: 1 },
    {
      kind: 'attempt_failed',
      at: now - 8 * MINUTE,
      position: 978,
      ...common,
      attempt: 1,
      replays: 1,
      status: 500,
      answer: '',
      nextAttemptAt: now + 4 * MINUTE,
    },
  ]
  const receipt: Receipt = {
    sessionUid,
    settled: false,
    ends: [
      {
        reason: 'rp_initiated',
        at: ended,
        origin: text('https://op.example.com'),
        scope: 'session',
        initiatingClient: clientOf(0),
        relyingParties: [
          {
            clientId: clientOf(0),
            sid: sidOf(1),
            delivery: '812.0',
            state: 'confirmed',
            attempts: 1,
            at: ended + 241,
            status: 200,
            timeToLogoutMs: 241,
          },
          {
            ...common,
            sid: sidOf(2),
            state: 'pending',
            attempts: 1,
            replays: 1,
            failureReason: text('status 500'),
            status: 500,
            nextAttemptAt: now + 4 * MINUTE,
          },
          {
            clientId: clientOf(4),
            sid: sidOf(3),
            delivery: '812.2',
            state: 'rejected',
            attempts: 1,
            at: ended + 300,
            failureReason: 'refused',
            status: 400,
          },
        ],
      },
    ],
  }
  return { receipt, timeline: { sessionUid, entries, isCut: false } }
}

function terminationOf(index: number, now: number, personOf: Named, clientOf: Named, text: Text): TerminationStatus {
  const kinds = ['account', 'client', 'all'] as const
  const of = kinds[index % 7 === 3 ? 1 : index % 19 === 5 ? 2 : 0] ?? 'account'
  const orderedAt = now - index * 5 * HOUR - 80_000
  return {
    id: text(`t-${index.toString(36).padStart(4, '0')}-QmZ8x1`),
    state: index === 0 ? 'running' : 'completed',
    of,
    ...(of === 'account' && { accountId: personOf(index + 2) }),
    // Some are of an account at one RP, or of all its sessions but one.
    ...((of === 'client' || index === 2) && { clientId: clientOf(index % 9) }),
    ...(index === 4 && { except: text('s-except') }),
    reason: of === 'client' ? 'admin' : index % 2 === 0 ? 'password_changed' : 'account_disabled',
    actor: text('anna'),
    orderedAt,
    ...(index !== 0 && { completedAt: orderedAt + 700 + index * 13 }),
    sessions: of === 'all' ? 48_112 : 1 + (index % 4),
    logins: of === 'all' ? 120_417 : 2 + (index % 6),
    grants: of === 'all' ? 90_001 : 1 + (index % 5),
    failed: index === 5 ? 2 : 0,
  }
}

function commitOf(index: number, now: number, uidOf: Named, clientOf: Named, text: Text): CommitRow {
  const shapes: readonly CommitRow['events'][] = [
    [
      {
        kind: 'session_logout',
        type: 'session_logout.back_channel.sent',
        sessionUid: uidOf(index),
        clientId: clientOf(index % 9),
        status: 200,
      },
    ],
    [
      { kind: 'Session', type: 'destroyed' },
      { kind: 'Grant', type: 'revoked' },
      { kind: 'session_logout', type: 'session_logout.terminated', sessionUid: uidOf(index), reason: 'rp_initiated' },
    ],
    [{ kind: 'Interaction', type: 'stored' }],
    [
      { kind: 'AuthorizationCode', type: 'consumed' },
      { kind: 'AccessToken', type: 'stored' },
      { kind: 'RefreshToken', type: 'stored' },
    ],
  ]
  const events = shapes[index % shapes.length] ?? []
  return {
    position: 1_204_377 - index,
    at: now - index * 800 - 1_000,
    issuer: text('https://op.example.com'),
    ...(index % 12 === 1 && { actor: text('anna') }),
    events,
    eventCount: index % 16 === 3 ? 44 : events.length,
  }
}

function featuresOf(isEmpty: boolean, now: number, text: Text): FeatureState[] {
  const unset = { enabled: true, from: 'configuration', configured: true } as const
  if (isEmpty)
    return [
      { feature: 'back_channel_logout', ...unset },
      { feature: 'single_session_termination', ...unset, enabled: false, configured: false },
    ]
  return [
    {
      feature: 'back_channel_logout',
      ...unset,
      from: 'system',
      system: { enabled: true, actor: text('anna'), at: now - 40 * HOUR },
    },
    {
      feature: 'single_session_termination',
      enabled: false,
      from: 'instance',
      configured: true,
      instance: { enabled: false, actor: text('deploy pipeline'), at: now - 11 * 24 * HOUR },
    },
  ]
}

function overviewOf(data: Omit<FixtureData, 'overview'>, isEmpty: boolean, clientOf: Named, text: Text): Overview {
  const { now, sessions } = data
  const health: Health = {
    isWell: isEmpty,
    store: { isReachable: true },
    isOn: true,
    planner: { behind: isEmpty ? 0 : 3, behindMs: isEmpty ? 0 : 240 },
    deliveries: { open: data.pending.length, overdueMs: isEmpty ? 0 : 161_000 },
    deadLetters: { count: isEmpty ? 0 : 100, isExact: isEmpty },
    parked: { count: data.parked.length, isExact: true },
    openCircuits: isEmpty ? [] : [clientOf(9)],
  }
  const quarters = isEmpty
    ? []
    : Array.from({ length: 96 }, (_, index) => ({ from: now - (95 - index) * 15 * MINUTE, ...quarterFigures(index) }))
  return {
    at: now,
    health,
    sessions: { count: Math.min(sessions.length, 10_000), isExact: sessions.length <= 10_000 },
    statistics: {
      since: now - 24 * HOUR,
      isWhole: true,
      until: now,
      total: totalOf(quarters),
      clients: [],
      moreClients: 0,
      quarters,
    },
    ...(!isEmpty && {
      oldestPending: { clientId: clientOf(9), endedAt: now - 5 * HOUR, isExact: false },
    }),
    paused: isEmpty ? [] : [{ clientId: clientOf(4), actor: text('anna'), at: now - 52 * MINUTE }],
    problems: isEmpty ? [] : problemsOf(clientOf, text),
  }
}

function quarterFigures(index: number): LogoutFigures {
  const day = 0.55 + 0.45 * Math.sin(((index - 30) / 96) * 2 * Math.PI)
  const logouts = Math.round(60 + 520 * day + ((index * 37) % 41))
  const isOutage = index > 70 && index < 84
  return {
    logouts,
    confirmed: Math.round(logouts * (isOutage ? 1.3 : 1.9)),
    attemptsFailed: isOutage ? Math.round(logouts * 0.5) : index % 9,
    rejected: index % 23 === 0 ? 2 : 0,
    abandoned: isOutage ? 13 : 0,
    superseded: 0,
  }
}

function totalOf(quarters: readonly LogoutFigures[]): LogoutFigures {
  const sum = (name: 'logouts' | 'confirmed' | 'attemptsFailed' | 'rejected' | 'abandoned') =>
    quarters.reduce((total, figures) => total + figures[name], 0)
  return {
    logouts: sum('logouts'),
    confirmed: sum('confirmed'),
    attemptsFailed: sum('attemptsFailed'),
    rejected: sum('rejected'),
    abandoned: sum('abandoned'),
    superseded: 0,
    ...(quarters.length > 0 && {
      timeToLogoutMs: { p50: 287, p95: 2_140, count: 80_000 },
      latencyMs: { p50: 61, p95: 480, count: 80_000 },
    }),
  }
}

function problemsOf(clientOf: Named, text: Text): Overview['problems'] {
  return [
    {
      code: 'COMMITS_PARKED',
      severity: 'error',
      message: '3 commits could not be planned: the logouts caused there are told to nobody.',
      advice: 'Look at the reason of each, then plan them again.',
    },
    {
      code: 'CIRCUIT_OPEN',
      severity: 'warning',
      message: text(
        'The RP legacy-portal fails again and again: this process leaves it alone, and probes it now and then.',
      ),
      advice: 'Ask who runs it. Try it by a test token.',
      clientId: clientOf(9),
    },
    {
      code: 'DEAD_LETTERS',
      severity: 'warning',
      message: 'At least 100 dead letters: an RP was not told of a logout, and nobody tries any more.',
      advice: 'Find out why, then send it again.',
    },
    {
      code: 'CLIENT_PAUSED',
      severity: 'notice',
      message: text('billing is paused by anna.'),
      advice: 'Resume it when its maintenance is over.',
      clientId: clientOf(4),
    },
  ]
}
