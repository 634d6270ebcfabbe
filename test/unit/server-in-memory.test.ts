import { systemClock } from '../../lib/clock.ts'
import { consumersContract } from '../contract/event-store/consumers.ts'
import { livenessContract } from '../contract/event-store/liveness.ts'
import type { MakeLog } from '../contract/event-store/log-under-test.ts'
import { workContract } from '../contract/event-store/work.ts'
import { workDeadlinesContract } from '../contract/event-store/work-deadlines.ts'
import { workLanesContract } from '../contract/event-store/work-lanes.ts'
import { workOutcomesContract } from '../contract/event-store/work-outcomes.ts'
import { workersContract } from '../contract/event-store/workers.ts'
import { LogProcess } from '../support/log-process.ts'
import { ServerInMemory } from '../support/server-in-memory.ts'

const inMemory: MakeLog = async () => {
  const server = new ServerInMemory()
  return {
    open: async () => new LogProcess(server, systemClock).store,
    async remove() {},
  }
}

// The simulations show something of MongoDB only as far as it does what MongoDB does.
describe('the MongoDB in memory of the simulations', () => {
  consumersContract(inMemory, { kept: true, shared: true, dense: false })
  livenessContract(inMemory)
  workContract(inMemory)
  workDeadlinesContract(inMemory)
  workLanesContract(inMemory)
  workOutcomesContract(inMemory)
  workersContract(inMemory)
})
