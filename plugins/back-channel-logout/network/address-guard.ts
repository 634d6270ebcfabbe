import { BlockList, isIP } from 'node:net'

/**
 * Addresses that are not on the public internet (IANA IPv4 and IPv6 Special-Purpose Address Registries): loopback,
 * private, link-local with the cloud's metadata, shared, documentation, benchmarking, multicast, reserved, and IPv6 that
 * carries any of them.
 */
const SPECIAL: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 128],
  ['::1', 128],
  ['::', 96],
  ['::ffff:0:0', 96],
  ['::ffff:0:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['100:0:0:1::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
]

/** Apart, since a `BlockList` holds every IPv4 address to be inside `::ffff:0:0/96`. */
const special = { ipv4: new BlockList(), ipv6: new BlockList() }
for (const [network, prefix] of SPECIAL) {
  const family = network.includes(':') ? 'ipv6' : 'ipv4'
  special[family].addSubnet(network, prefix, family)
}

/** Whether an IP address is of special use, and so not one that an RP on the internet can have. */
export function isSpecialUse(address: string): boolean {
  const bare = address.replace(/%.*$/, '')
  const version = isIP(bare)
  if (version === 0) return true // not an address: nothing to be sure of
  const family = version === 6 ? 'ipv6' : 'ipv4'
  return special[family].check(bare, family)
}

/** The host of a URL as an IP address, when it is one in any notation: `URL` has made `127.1` and `2130706433` canonical. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return isIP(bare) === 0 ? undefined : bare
}
