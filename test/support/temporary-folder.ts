import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Registers hooks that make an empty folder before each test and remove it afterwards. */
export function temporaryFolder(): { readonly path: string } {
  let path = ''
  beforeEach('make a folder', async () => {
    path = await mkdtemp(join(tmpdir(), 'oidc-provider-eventstore-'))
  })
  afterEach('remove the folder', () => rm(path, { recursive: true, force: true }))
  return {
    get path(): string {
      return path
    },
  }
}
