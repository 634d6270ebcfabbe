import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { accountSessionsContract } from './account-sessions.ts'

accountSessionsContract('the memory store', async () => new MemoryEventStore())
