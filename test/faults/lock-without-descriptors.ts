// Takes the lock of a folder, opens files until it may open no more, tells a line of JSON, and goes on until it is killed.
import { openSync } from 'node:fs'
import { FolderLock } from '../../adapters/file/folder-lock.ts'

const [folder = ''] = process.argv.slice(2)

function openAll(): void {
  try {
    for (;;) openSync('/dev/null', 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error
  }
}

await FolderLock.take(folder)
process.stdout.write(`${JSON.stringify({ held: true })}\n`)
// Again and again: node keeps one in reserve, and the kernel may give others back.
setInterval(openAll, 1)
openAll()
