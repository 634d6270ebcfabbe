import { changeClient, listClients, pauseClient, resumeClient, showClient, testClient } from './clients.ts'
import { exportDeadLetters, exportPending } from './exports.ts'
import { listFeatures, resetFeature, setFeature } from './features.ts'
import {
  listDeadLetters,
  listLogouts,
  listParked,
  listPending,
  listSessions,
  listTerminations,
  showLogout,
} from './lists.ts'
import { followLive } from './live.ts'
import { explain, showLog } from './log.ts'
import {
  cancelOperation,
  listOperations,
  showOperation,
  startReplay,
  startRetryClient,
  startRetryParked,
  startTermination,
} from './operations.ts'
import { showMe, showOverview } from './overview.ts'
import type { Method, Route } from './route.ts'

/** Every route, below `<basePath>/api`. `contract.ts` says what each takes and answers. */
export const ROUTES: Readonly<Record<string, Readonly<Partial<Record<Method, Route>>>>> = {
  '/me': { GET: showMe },
  '/overview': { GET: showOverview },
  '/clients': { GET: listClients },
  '/clients/one': { GET: showClient, PUT: changeClient },
  '/clients/test': { POST: testClient },
  '/clients/pause': { POST: pauseClient },
  '/clients/resume': { POST: resumeClient },
  '/sessions': { GET: listSessions },
  '/logouts': { GET: listLogouts },
  '/logouts/one': { GET: showLogout },
  '/dead-letters': { GET: listDeadLetters },
  '/pending': { GET: listPending },
  '/parked': { GET: listParked },
  '/export/dead-letters': { GET: exportDeadLetters },
  '/export/pending': { GET: exportPending },
  '/terminations': { GET: listTerminations },
  '/features': { GET: listFeatures, PUT: setFeature, DELETE: resetFeature },
  '/log': { GET: showLog },
  '/explain': { POST: explain },
  '/operations': { GET: listOperations },
  '/operations/one': { GET: showOperation },
  '/operations/cancel': { POST: cancelOperation },
  '/operations/terminate': { POST: startTermination },
  '/operations/replay': { POST: startReplay },
  '/operations/retry-client': { POST: startRetryClient },
  '/operations/retry-parked': { POST: startRetryParked },
  '/live': { GET: followLive },
}
