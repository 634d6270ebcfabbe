import type { Configuration } from 'oidc-provider'

/** Features that are off by default and that a rich flow uses. A CIBA request is answered when the test does. */
export function everyFeature(login: string): NonNullable<Configuration['features']> {
  return {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    dPoP: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    registration: { enabled: true, initialAccessToken: true },
    registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
    ciba: {
      enabled: true,
      deliveryModes: ['poll'],
      processLoginHint: async () => login,
      processLoginHintToken: async () => undefined,
      validateBindingMessage: async () => undefined,
      validateRequestContext: async () => undefined,
      verifyUserCode: async () => undefined,
      triggerAuthenticationDevice: async () => undefined,
    },
  }
}
