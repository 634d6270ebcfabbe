import type { Keys } from '../../lib/index.ts'

const secret = Buffer.alloc(32, 'benchmark').toString('base64url')

/** The same in all processes of a benchmark. */
export const KEYS: Keys = { sealing: [{ id: '1', secret }], hashing: [{ id: '1', secret }] }
