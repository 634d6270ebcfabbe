// Takes and releases the lock of a folder again and again, together with others that do the same, among dead sockets.
// Tells a line of JSON: how often it had the folder, and how often it found somebody else in it meanwhile.
import { randomBytes, randomInt } from 'node:crypto'
import { open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { FolderLock } from '../../adapters/file/folder-lock.ts'
import { FolderHeldError } from '../../lib/errors.ts'
import { leaveDeadSocket } from '../support/dead-socket.ts'

const [folder = '', inside = '', times = ''] = process.argv.slice(2)
let held = 0
let met = 0
while (held < Number(times)) {
  await leaveDeadSocket(folder, `lock-${randomBytes(6).toString('hex')}.sock`)
  try {
    const lock = await FolderLock.take(folder)
    held += 1
    const alone = await open(join(inside, 'somebody'), 'wx').catch(() => undefined)
    if (alone) {
      await alone.close()
      await unlink(join(inside, 'somebody'))
    } else met += 1
    await lock.release()
  } catch (error) {
    if (!(error instanceof FolderHeldError)) throw error
    // As if it did something else for a while: five that only ask keep each other from having it.
    await new Promise((resolve) => setTimeout(resolve, randomInt(10)))
  }
}
process.stdout.write(`${JSON.stringify({ held, met })}\n`)
