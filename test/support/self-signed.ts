import { generateKeyPairSync, sign } from 'node:crypto'
import { der } from './der.ts'

const ECDSA_WITH_SHA256 = der(0x30, Buffer.from('06082a8648ce3d040302', 'hex'))
const COMMON_NAME = Buffer.from('0603550403', 'hex')

/**
 * A key and a certificate that nobody has signed but the key itself, as PEM. Good for ten years around 2026 unless other
 * years are given.
 */
export function selfSigned(
  commonName: string,
  [from, to]: readonly [number, number] = [2021, 2031],
): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = der(0x30, der(0x31, der(0x30, COMMON_NAME, der(0x0c, Buffer.from(commonName)))))
  const validity = der(0x30, newYear(from), newYear(to))
  const publicInfo = publicKey.export({ type: 'spki', format: 'der' })
  const serial = der(0x02, Buffer.from([1]))
  const toBeSigned = der(0x30, serial, ECDSA_WITH_SHA256, name, validity, name, publicInfo)
  const signature = sign('sha256', toBeSigned, privateKey)
  const certificate = der(0x30, toBeSigned, ECDSA_WITH_SHA256, der(0x03, Buffer.from([0]), signature))
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
  }
}

/** As UTCTime, which has two digits for the year. */
function newYear(year: number): Buffer {
  return der(0x17, Buffer.from(`${String(year).slice(-2)}0101000000Z`))
}
