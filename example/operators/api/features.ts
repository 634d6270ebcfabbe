import type { Feature, Features, Level } from 'oidc-provider-eventstore'
import type { ApiAnswer, Handler } from './api-request.ts'
import { assertKnown, type Fields, flag, invalid, requiredOneOf } from './fields.ts'

const FEATURES: readonly Feature[] = ['back_channel_logout', 'single_session_termination']
const LEVELS: readonly Level[] = ['system', 'instance']

/** How each feature stands, and who has set it at which level. */
export const listFeatures: Handler = async ({ features, fields }) => {
  assertKnown(fields, [])
  return answer(features)
}

export const setFeature: Handler = async ({ features, fields, actor }) => {
  assertKnown(fields, ['feature', 'level', 'enabled'])
  const { feature, level } = gateIn(fields)
  const enabled = flag(fields, 'enabled')
  if (enabled === undefined) throw invalid('enabled', 'is missing: true or false')
  await features.set(feature, enabled, { level, actor })
  return answer(features)
}

export const resetFeature: Handler = async ({ features, fields, actor }) => {
  assertKnown(fields, ['feature', 'level'])
  const { feature, level } = gateIn(fields)
  await features.reset(feature, { level, actor })
  return answer(features)
}

function gateIn(fields: Fields): { readonly feature: Feature; readonly level: Level } {
  return { feature: requiredOneOf(fields, 'feature', FEATURES), level: requiredOneOf(fields, 'level', LEVELS) }
}

async function answer(features: Features): Promise<ApiAnswer> {
  return { body: { features: await features.list() } }
}
