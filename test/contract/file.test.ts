import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileEventStore } from '../../adapters/file/index.ts'
import { eventStoreContract } from './event-store.ts'

eventStoreContract(
  'file',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'file-event-store-'))
    return {
      open: () => FileEventStore.open(folder),
      remove: () => rm(folder, { recursive: true }),
    }
  },
  { kept: true, shared: false, dense: true },
)
