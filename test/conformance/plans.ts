import type { Variant } from './suite-api.ts'

/** A certification plan, as the suite names it, and what is expected of it. */
export interface Plan {
  readonly name: string
  /** What the plan leaves open. */
  readonly variant: Variant
  /** Modules that end otherwise than `PASSED`, and why. */
  readonly expected: Readonly<Record<string, { readonly result: 'SKIPPED' | 'WARNING'; readonly why: string }>>
}

const STATIC: Variant = { client_registration: 'static_client' }
const NO_REQUEST_OBJECTS = { result: 'SKIPPED', why: 'the example takes no request objects, and says so' } as const

/** The profiles of an OP with this package, by the names of the command. */
export const PLANS: Readonly<Record<string, Plan>> = {
  config: { name: 'oidcc-config-certification-test-plan', variant: {}, expected: {} },
  basic: {
    name: 'oidcc-basic-certification-test-plan',
    variant: { ...STATIC, server_metadata: 'discovery' },
    expected: {
      'oidcc-idtoken-unsigned': { result: 'SKIPPED', why: 'unsigned ID tokens are not offered' },
      'oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported': NO_REQUEST_OBJECTS,
      'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported': NO_REQUEST_OBJECTS,
      'oidcc-ensure-request-object-with-redirect-uri': NO_REQUEST_OBJECTS,
      'oidcc-claims-essential': { result: 'WARNING', why: 'the example has no claims parameter' },
      'oidcc-ensure-request-with-acr-values-succeeds': { result: 'WARNING', why: 'the example knows no acr' },
    },
  },
  'rp-initiated-logout': {
    name: 'oidcc-rp-initiated-logout-certification-test-plan',
    variant: { ...STATIC, response_type: 'code' },
    expected: {},
  },
  'back-channel-logout': {
    name: 'oidcc-backchannel-rp-initiated-logout-certification-test-plan',
    variant: { ...STATIC, response_type: 'code' },
    expected: {},
  },
}
