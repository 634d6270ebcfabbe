import assert from 'node:assert/strict'
import { range } from '../contract/event-store/log-under-test.ts'
import { bundledProgram } from '../support/bundled-program.ts'
import { StoreProcess } from '../support/store-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import type { WithoutDescriptors } from './file-without-descriptors.ts'

const FILE_WITHOUT_DESCRIPTORS = await bundledProgram(new URL('file-without-descriptors.ts', import.meta.url))

describe('an embedded store whose process may open no more files', () => {
  const folder = temporaryFolder()

  for (const left of range(5)) {
    it(`but ${left} while its journal is to be written anew goes on`, async function () {
      if (process.platform === 'win32') this.skip()
      const child = new StoreProcess(FILE_WITHOUT_DESCRIPTORS, [folder.path, `${left}`], { openFiles: 200 })
      try {
        const told = await child.next<WithoutDescriptors>()
        assert.ok(told && told.eaten > left)
        assert.deepEqual(told.appended, [3_001, 3_002])
        assert.equal(told.end, 3_002)
      } finally {
        await child.kill()
      }
    })
  }
})
