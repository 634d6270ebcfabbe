/** The file that tells the server the names of the assets. */
export interface ConsoleManifest {
  readonly script: string
  readonly style: string
  readonly icon: string
  readonly files: Readonly<
    Record<string, { readonly type: string; readonly bytes: number; readonly gzipBytes: number }>
  >
}

export const MAX_GZIP_BYTES: number
export const ASSETS: string
export function buildConsole(folder?: string): Promise<ConsoleManifest>
export function gzipBytesOf(manifest: ConsoleManifest): number
