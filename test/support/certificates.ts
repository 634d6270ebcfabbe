import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { der } from './der.ts'

const ECDSA_WITH_SHA256 = der(0x30, Buffer.from('06082a8648ce3d040302', 'hex'))
const COMMON_NAME = Buffer.from('0603550403', 'hex')
const BASIC_CONSTRAINTS = Buffer.from('0603551d13', 'hex')
const ALTERNATIVE_NAMES = Buffer.from('0603551d11', 'hex')
const TRUE = Buffer.from('0101ff', 'hex')

/** A key and its certificate, as PEM. */
export interface Certified {
  readonly name: string
  readonly key: string
  readonly cert: string
}

/** An authority, whose own certificate nobody else has signed. */
export function authority(name: string): Certified {
  return certified(name, [2021, 2049], BASIC_AUTHORITY)
}

/** A certificate for a server at 127.0.0.1, or for a client, that the authority has signed. */
export function signedBy(by: Certified, name: string, years: readonly [number, number] = [2021, 2049]): Certified {
  return certified(name, years, LOOPBACK, by)
}

const BASIC_AUTHORITY = extension(BASIC_CONSTRAINTS, der(0x30, TRUE))
const LOOPBACK = extension(ALTERNATIVE_NAMES, der(0x30, der(0x87, Buffer.from([127, 0, 0, 1]))))

/** An X.509 certificate (RFC 5280, section 4.1), version 3, of a key on P-256. */
function certified(name: string, [from, to]: readonly [number, number], extended: Buffer, by?: Certified): Certified {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signing: KeyObject = by ? createPrivateKey(by.key) : privateKey
  const toBeSigned = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    distinguished(by?.name ?? name),
    der(0x30, newYear(from), newYear(to)),
    distinguished(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, extended)),
  )
  const signature = der(0x03, Buffer.from([0]), sign('sha256', toBeSigned, signing))
  const certificate = der(0x30, toBeSigned, ECDSA_WITH_SHA256, signature)
  const lines = certificate.toString('base64').replaceAll(/.{64}/g, '$&\n')
  return {
    name,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  }
}

function distinguished(name: string): Buffer {
  return der(0x30, der(0x31, der(0x30, COMMON_NAME, der(0x0c, Buffer.from(name)))))
}

/** A critical one where it tells authorities from others. */
function extension(kind: Buffer, value: Buffer): Buffer {
  const isCritical = kind === BASIC_CONSTRAINTS
  return der(0x30, kind, ...(isCritical ? [TRUE] : []), der(0x04, value))
}

/** As UTCTime, which has two digits for the year. */
function newYear(year: number): Buffer {
  return der(0x17, Buffer.from(`${String(year).slice(-2)}0101000000Z`))
}
