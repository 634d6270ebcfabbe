import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { providerAdapterContract } from './provider-adapter.ts'

providerAdapterContract(
  'memory',
  async () => ({ open: async (keys) => new MemoryEventStore({ keys }), remove: async () => {} }),
  { kept: false, propertyRuns: 100, thiefTries: 1_000 },
)

providerAdapterContract(
  'file',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'oidc-provider-eventstore-'))
    return { open: (keys) => FileEventStore.open(folder, { keys }), remove: () => rm(folder, { recursive: true }) }
  },
  { kept: true, propertyRuns: 10, thiefTries: 1_000 },
)
