import assert from 'node:assert/strict'
import fc from 'fast-check'
import { isSpecialUse, literalAddress } from '../../plugins/back-channel-logout/network/address-guard.ts'

/** First and last address of each range, and the public ones right outside, where there are any. */
interface Range {
  readonly name: string
  readonly inside: readonly string[]
  readonly outside?: readonly string[]
}

const IPV4: readonly Range[] = [
  { name: '0.0.0.0/8 this network', inside: ['0.0.0.0', '0.255.255.255'], outside: ['1.0.0.0'] },
  { name: '10.0.0.0/8 private', inside: ['10.0.0.0', '10.255.255.255'], outside: ['9.255.255.255', '11.0.0.0'] },
  {
    name: '100.64.0.0/10 shared',
    inside: ['100.64.0.0', '100.127.255.255'],
    outside: ['100.63.255.255', '100.128.0.0'],
  },
  {
    name: '127.0.0.0/8 loopback',
    inside: ['127.0.0.0', '127.0.0.1', '127.255.255.255'],
    outside: ['126.255.255.255', '128.0.0.0'],
  },
  {
    name: '169.254.0.0/16 link-local, metadata',
    inside: ['169.254.0.0', '169.254.169.254', '169.254.255.255'],
    outside: ['169.253.255.255', '169.255.0.0'],
  },
  {
    name: '172.16.0.0/12 private',
    inside: ['172.16.0.0', '172.31.255.255'],
    outside: ['172.15.255.255', '172.32.0.0'],
  },
  {
    name: '192.0.0.0/24 protocol assignments',
    inside: ['192.0.0.0', '192.0.0.8', '192.0.0.170', '192.0.0.255'],
    outside: ['191.255.255.255', '192.0.1.0'],
  },
  { name: '192.0.2.0/24 documentation', inside: ['192.0.2.0', '192.0.2.255'], outside: ['192.0.1.255', '192.0.3.0'] },
  {
    name: '192.31.196.0/24 AS112',
    inside: ['192.31.196.0', '192.31.196.255'],
    outside: ['192.31.195.255', '192.31.197.0'],
  },
  {
    name: '192.52.193.0/24 AMT',
    inside: ['192.52.193.0', '192.52.193.255'],
    outside: ['192.52.192.255', '192.52.194.0'],
  },
  {
    name: '192.88.99.0/24 6to4 relays',
    inside: ['192.88.99.0', '192.88.99.2', '192.88.99.255'],
    outside: ['192.88.98.255', '192.88.100.0'],
  },
  {
    name: '192.168.0.0/16 private',
    inside: ['192.168.0.0', '192.168.255.255'],
    outside: ['192.167.255.255', '192.169.0.0'],
  },
  {
    name: '192.175.48.0/24 AS112',
    inside: ['192.175.48.0', '192.175.48.255'],
    outside: ['192.175.47.255', '192.175.49.0'],
  },
  {
    name: '198.18.0.0/15 benchmarking',
    inside: ['198.18.0.0', '198.19.255.255'],
    outside: ['198.17.255.255', '198.20.0.0'],
  },
  {
    name: '198.51.100.0/24 documentation',
    inside: ['198.51.100.0', '198.51.100.255'],
    outside: ['198.51.99.255', '198.51.101.0'],
  },
  {
    name: '203.0.113.0/24 documentation',
    inside: ['203.0.113.0', '203.0.113.255'],
    outside: ['203.0.112.255', '203.0.114.0'],
  },
  { name: '224.0.0.0/4 multicast', inside: ['224.0.0.0', '239.255.255.255'], outside: ['223.255.255.255'] },
  { name: '240.0.0.0/4 reserved, broadcast', inside: ['240.0.0.0', '255.255.255.255'] },
]

const IPV6: readonly Range[] = [
  { name: '::/128 unspecified', inside: ['::'] },
  { name: '::1/128 loopback', inside: ['::1', '0:0:0:0:0:0:0:1'] },
  { name: '::/96 IPv4-compatible', inside: ['::2', '::127.0.0.1', '::ffff:ffff'] },
  {
    name: '::ffff:0:0/96 IPv4-mapped',
    inside: ['::ffff:0.0.0.0', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:8.8.8.8', '::ffff:ffff:ffff'],
  },
  {
    name: '::ffff:0:0:0/96 IPv4-translated',
    inside: ['::ffff:0:0.0.0.0', '::ffff:0:127.0.0.1', '::ffff:0:a9fe:a9fe', '::ffff:0:ffff:ffff'],
    outside: ['::fffe:ffff:ffff:ffff', '::ffff:1:0:0'],
  },
  {
    name: '64:ff9b::/96 NAT64',
    inside: ['64:ff9b::', '64:ff9b::7f00:1', '64:ff9b::127.0.0.1', '64:ff9b::ffff:ffff'],
    outside: ['64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff'],
  },
  {
    name: '64:ff9b:1::/48 local NAT64',
    inside: ['64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
    outside: ['64:ff9b:2::'],
  },
  { name: '100::/64 discard', inside: ['100::', '100::ffff:ffff:ffff:ffff'] },
  { name: '100:0:0:1::/64 dummy', inside: ['100:0:0:1::', '100:0:0:1:ffff:ffff:ffff:ffff'], outside: ['100:0:0:2::'] },
  {
    name: '2001::/23 protocol assignments, Teredo, ORCHID',
    inside: ['2001::', '2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001:2::', '2001:10::', '2001:20::', '2001:1ff:ffff::'],
    outside: ['2000:ffff::', '2001:200::'],
  },
  {
    name: '2001:db8::/32 documentation',
    inside: ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
    outside: ['2001:db7:ffff::', '2001:db9::'],
  },
  {
    name: '2002::/16 6to4',
    inside: ['2002::', '2002:7f00:1::', '2002:ffff:ffff::'],
    outside: ['2001:ffff::', '2003::'],
  },
  {
    name: '2620:4f:8000::/48 AS112',
    inside: ['2620:4f:8000::', '2620:4f:8000:ffff::'],
    outside: ['2620:4f:7fff::', '2620:4f:8001::'],
  },
  { name: '3fff::/20 documentation', inside: ['3fff::', '3fff:fff:ffff::'], outside: ['3ffe:ffff::', '3fff:1000::'] },
  { name: '5f00::/16 segment routing', inside: ['5f00::', '5f00:ffff::'], outside: ['5eff:ffff::', '5f01::'] },
  { name: 'fc00::/7 unique local', inside: ['fc00::', 'fd00:ec2::254', 'fdff:ffff::'], outside: ['fbff:ffff::'] },
  {
    name: 'fe80::/10 link-local',
    inside: ['fe80::', 'fe80::1%eth0', 'fe80::1%25eth0', 'febf:ffff::'],
    outside: ['fe7f:ffff::'],
  },
  { name: 'fec0::/10 site-local', inside: ['fec0::', 'feff:ffff::'] },
  { name: 'ff00::/8 multicast', inside: ['ff00::', 'ff02::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'] },
]

describe('the guard of addresses', () => {
  for (const { name, inside, outside = [] } of [...IPV4, ...IPV6]) {
    it(`refuses ${name}, and nothing beside it`, () => {
      for (const address of inside) assert.equal(isSpecialUse(address), true, address)
      for (const address of outside) assert.equal(isSpecialUse(address), false, address)
    })
  }

  it('lets public addresses pass', () => {
    for (const address of ['1.1.1.1', '8.8.8.8', '93.184.215.14', '2606:4700:4700::1111', '2a00:1450:4001:80b::200e']) {
      assert.equal(isSpecialUse(address), false, address)
    }
  })

  it('refuses what is no address', () => {
    for (const nothing of ['', 'localhost', '127.1', '2130706433', '1.2.3', 'fe80::1::2', '%eth0']) {
      assert.equal(isSpecialUse(nothing), true, nothing)
    }
  })

  it('refuses IPv6 that carries any IPv4 address', () => {
    const carriers = ['::', '::ffff:', '::ffff:0:', '64:ff9b::']
    fc.assert(
      fc.property(fc.ipV4(), fc.constantFrom(...carriers), (address, carrier) => isSpecialUse(`${carrier}${address}`)),
    )
  })
})

describe('a literal host of a URL', () => {
  const SAME = ['127.0.0.1', '127.1', '2130706433', '0x7f.1', '0x7f000001', '0177.0.0.1', '017700000001', '127.0.0.1.']

  for (const notation of SAME) {
    it(`is found and refused as ${notation}`, () => {
      const literal = literalAddress(new URL(`https://${notation}/`).hostname)
      assert.equal(literal, '127.0.0.1')
      assert.equal(isSpecialUse(literal), true)
    })
  }

  for (const notation of [
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:0:127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[0:0:0:0:0:0:0:1]',
    '[fe80::1]',
    '[::]',
  ]) {
    it(`is found and refused as ${notation}`, () => {
      const literal = literalAddress(new URL(`https://${notation}/`).hostname)
      assert.ok(literal !== undefined && isSpecialUse(literal), literal)
    })
  }

  it('is found and passes when it is public', () => {
    for (const [host, address] of [
      ['8.8.8.8', '8.8.8.8'],
      ['134744072', '8.8.8.8'],
      ['[2606:4700::1111]', '2606:4700::1111'],
    ]) {
      const literal = literalAddress(new URL(`https://${host}/`).hostname)
      assert.equal(literal, address)
      assert.equal(isSpecialUse(String(literal)), false)
    }
  })

  it('is not seen in a name', () => {
    for (const name of ['localhost', 'rp.example.com', '127.0.0.1.nip.io', 'xn--bcher-kva.example']) {
      assert.equal(literalAddress(new URL(`https://${name}/`).hostname), undefined)
    }
  })

  it('cannot have a zone: no such URL exists', () => {
    assert.equal(URL.canParse('https://[fe80::1%25eth0]/'), false)
  })
})
