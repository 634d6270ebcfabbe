import { rename } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** Leaves a socket in the folder that nobody listens on, as a killed process does. */
export async function leaveDeadSocket(folder: string, name: string): Promise<void> {
  const server = createServer((socket) => socket.destroy())
  const made = join(folder, `${name}.made`)
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject)
    server.listen(made, resolve)
  })
  await rename(made, join(folder, name)) // closing removes the name that was listened on
  await new Promise((resolve) => server.close(resolve))
}
