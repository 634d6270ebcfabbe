import type { Feature, Features, Level } from '../../../lib/index.ts'
import { assertKnown, type Fields, flag, invalid, requiredOneOf } from '../../../lib/web/fields.ts'
import type { FeaturesAnswer } from './contract.ts'
import type { Answer, Route } from './route.ts'

const FEATURES: readonly Feature[] = ['back_channel_logout', 'single_session_termination']
const LEVELS: readonly Level[] = ['system', 'instance']

/** How each feature stands, and who has set it at which level. */
export const listFeatures: Route = {
  role: 'viewer',
  handle({ op, fields }) {
    assertKnown(fields, [])
    return answer(op.features)
  },
}

export const setFeature: Route = {
  role: 'operator',
  async handle({ op, fields, operator }) {
    assertKnown(fields, ['feature', 'level', 'enabled'])
    const { feature, level } = gateIn(fields)
    const enabled = flag(fields, 'enabled')
    if (enabled === undefined) throw invalid('enabled', 'is missing: true or false')
    await op.features.set(feature, enabled, { level, actor: operator.name })
    return answer(op.features)
  },
}

export const resetFeature: Route = {
  role: 'operator',
  async handle({ op, fields, operator }) {
    assertKnown(fields, ['feature', 'level'])
    const { feature, level } = gateIn(fields)
    await op.features.reset(feature, { level, actor: operator.name })
    return answer(op.features)
  },
}

function gateIn(fields: Fields): { readonly feature: Feature; readonly level: Level } {
  return { feature: requiredOneOf(fields, 'feature', FEATURES), level: requiredOneOf(fields, 'level', LEVELS) }
}

async function answer(features: Features): Promise<Answer> {
  return { body: { features: await features.list() } satisfies FeaturesAnswer }
}
