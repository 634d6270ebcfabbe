import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { type Guardian, startGuardian } from './guardian.ts'

/** Where this machine has Apache. */
export interface ApacheInstallation {
  readonly program: string
  /** The folder of the modules. */
  readonly modules: string
}

/** What a server is to do, and with what. */
export interface ApacheSite {
  readonly port: number
  /** Modules by the name of their file, without `mod_` and `.so`, besides those that every server needs. */
  readonly modules: readonly string[]
  /** The rest of the configuration. */
  readonly directives: string
  /** Files below the document root. */
  readonly files: Readonly<Record<string, string>>
}

const NAMES = ['apache2', 'httpd']

/** Where distributions put them. */
const MODULE_FOLDERS = ['/usr/lib/apache2/modules', '/usr/lib64/httpd/modules', '/usr/libexec/apache2']

/** What each server needs: one process with threads, and authorization. */
const BASIC_MODULES = ['mpm_event', 'authn_core', 'authz_core', 'authz_user']

/** An ordinary user without rights, whose number every Linux knows: whoever is root has to name another one. */
const NOBODY = '#65534'

/** Between two looks at a server that is starting, in milliseconds. */
const LOOK_AGAIN_MS = 20

/** The Apache of this machine that has this module; or what is missing, as a sentence says it. */
export function findApache(module: string): ApacheInstallation | { readonly missing: string } {
  const program = onPath(NAMES)
  if (program === undefined) return { missing: `no ${NAMES.join(' or ')} on the PATH or in /usr/sbin` }
  const file = `mod_${module}.so`
  const modules = MODULE_FOLDERS.find((folder) => existsSync(join(folder, file)))
  if (modules === undefined) return { missing: `no ${file} among the modules of ${program}` }
  return { program, modules }
}

/** A server of the test's own, in a folder of its own: the machine's service, if it has one, is left alone. */
export class Apache {
  readonly #child: ChildProcess
  readonly #guardian: Guardian
  readonly #folder: string
  readonly #ended: Promise<void>

  /** Starts it, and resolves when it answers. */
  static async start(installation: ApacheInstallation, site: ApacheSite): Promise<Apache> {
    const folder = await mkdtemp(join(tmpdir(), 'oidc-provider-eventstore-apache-'))
    // The user that root has to name reads it, too.
    await chmod(folder, 0o755)
    await writeSite(folder, installation, site)
    const apache = new Apache(installation.program, folder)
    try {
      await apache.#answers(site.port)
    } catch (error) {
      await apache.stop()
      throw error
    }
    return apache
  }

  private constructor(program: string, folder: string) {
    this.#folder = folder
    this.#guardian = startGuardian(folder)
    // -X: one process, which stays in the foreground. Children of its own would outlive it when it is killed.
    this.#child = spawn(program, ['-X', '-f', configurationIn(folder)], { stdio: 'ignore' })
    if (this.#child.pid !== undefined) this.#guardian.watch(this.#child.pid)
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', () => resolve())
      this.#child.once('exit', () => {
        this.#guardian.forget()
        resolve()
      })
    })
  }

  /** What it has written into its log of errors. */
  log(): Promise<string> {
    return readFile(logIn(this.#folder), 'utf8').catch(() => '')
  }

  /** Ends it, and resolves when it and its folder are gone. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#ended
    await this.#guardian.dismiss()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #answers(port: number): Promise<void> {
    let over = false
    void this.#ended.then(() => {
      over = true
    })
    while (!(await accepts(port))) {
      if (over) throw new Error(`Apache ended at once:\n${await this.log()}`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
    }
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/`, { redirect: 'manual' })
    await response.arrayBuffer()
    return true
  } catch {
    return false
  }
}

async function writeSite(folder: string, { modules: where }: ApacheInstallation, site: ApacheSite): Promise<void> {
  const { port, modules, directives, files } = site
  const load = [...BASIC_MODULES, ...modules].map(
    (name) => `LoadModule ${name}_module ${join(where, `mod_${name}.so`)}`,
  )
  const configuration = [
    `ServerRoot ${folder}`,
    `PidFile ${join(folder, 'pid')}`,
    `ErrorLog ${logIn(folder)}`,
    `DocumentRoot ${join(folder, 'pages')}`,
    `Listen 127.0.0.1:${port}`,
    `ServerName 127.0.0.1:${port}`,
    ...load,
    ...(process.getuid?.() === 0 ? [`User ${NOBODY}`, `Group ${NOBODY}`] : []),
    directives,
  ]
  await writeFile(configurationIn(folder), `${configuration.join('\n')}\n`)
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, 'pages', path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
  }
}

function configurationIn(folder: string): string {
  return join(folder, 'apache.conf')
}

function logIn(folder: string): string {
  return join(folder, 'error.log')
}

function onPath(names: readonly string[]): string | undefined {
  // The PATH of ordinary users often lacks the folder that servers are in.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
