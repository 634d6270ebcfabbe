import { BenchProcess } from '../bench-process.ts'
import { type RpAnswer, rpClient } from '../rps/rp-client.ts'
import { databaseOfRun } from '../server.ts'
import type { DeliverQuestion, DeliverSetup } from './deliver-process.ts'

/** So many RPs are there. A session has logins at three of them. */
export const RPS = 30

export interface FleetSetup {
  readonly uri: string
  readonly rpPort: number
  /** Of each of its processes, in the order in which they are started: whether it delivers. The first one plans. */
  readonly delivers: readonly boolean[]
  /** Of the last third of the RPs. Default: at once, as the others. */
  readonly lastThird?: RpAnswer
}

let fleets = 0

/** The processes of one OP. */
export class OpFleet {
  readonly #processes: readonly BenchProcess[]

  static async start({ uri, rpPort, delivers, lastThird = 'at once' }: FleetSetup): Promise<OpFleet> {
    const database = databaseOfRun(`deliver_${fleets++}`)
    const clients = Array.from({ length: RPS }, (_, index) =>
      rpClient(`rp-${index}`, index, { port: rpPort, answers: index < (2 / 3) * RPS ? 'at once' : lastThird }),
    )
    const processes: BenchProcess[] = []
    for (const one of delivers) {
      const setup: DeliverSetup = { uri, database, clients, delivers: one }
      processes.push(await BenchProcess.start('deliver-process.ts', import.meta.url, JSON.stringify(setup)))
    }
    return new OpFleet(processes)
  }

  private constructor(processes: readonly BenchProcess[]) {
    this.#processes = processes
  }

  /** Asks the process that was started last. */
  askLast<Answer>(question: DeliverQuestion): Promise<Answer> {
    const last = this.#processes.at(-1)
    if (!last) throw new Error('the fleet has no process')
    return last.ask<Answer>(question)
  }

  askAll<Answer>(question: DeliverQuestion): Promise<Answer[]> {
    return Promise.all(this.#processes.map((process) => process.ask<Answer>(question)))
  }

  /** The CPU time that its processes have used, in milliseconds. */
  async cpuMs(): Promise<number> {
    return (await this.askAll<number>({ cpu: true })).reduce((total, ms) => total + ms, 0)
  }

  kill(): void {
    for (const process of this.#processes) process.kill()
  }
}
