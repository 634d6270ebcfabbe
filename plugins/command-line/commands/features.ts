import type { Feature } from '../../../lib/features/feature-gates.ts'
import { type FeatureState, Features } from '../../../lib/features/features.ts'
import { consoleLogger, type EventStore, Heartbeat, systemClock } from '../../../lib/index.ts'
import { OperatorsLog } from '../../../lib/operators/operators-log.ts'
import type { Level } from '../../../lib/operators/operators-state.ts'
import type { Register } from '../command-context.ts'
import { UsageError } from '../exit-codes.ts'
import { moment } from '../terminal.ts'

interface SetOptions {
  readonly level: string
  readonly actor: string
}

/** `features`: lists and sets feature gates. */
export const features: Register = (program, context) => {
  const command = program
    .command('features')
    .description('feature gates: effective in every process within two seconds')
  command
    .command('list', { isDefault: true })
    .description('how each stands for the issuer')
    .action(() => {
      const { withStore, output, issuer } = context()
      const of = issuer()
      return withStore(async (store) => {
        for (const state of await featuresOf(store, of).list()) output.result(asKnown(state), () => stateLine(state))
      })
    })
  for (const [name, description] of [
    ['on', 'switches a feature on'],
    ['off', 'switches a feature off'],
    ['reset', 'takes back what was set at a level'],
  ] as const) {
    command
      .command(name)
      .description(description)
      .argument('<feature>', 'back_channel_logout, single_session_termination')
      .requiredOption('--actor <name>', 'who does this: a name, a ticket. Kept in the log')
      .option('--level <level>', 'instance: for this issuer; system: for all of the log', 'instance')
      .action((feature: string, { level, actor }: SetOptions) => {
        const { withStore, output, issuer } = context()
        if (level !== 'instance' && level !== 'system') throw new UsageError('--level takes instance or system')
        const of = issuer()
        return withStore(async (store) => {
          const gates = featuresOf(store, of)
          const options = { level: level as Level, actor }
          if (name === 'reset') await gates.reset(feature as Feature, options)
          else await gates.set(feature as Feature, name === 'on', options)
          const state = (await gates.list()).find((one) => one.feature === feature)
          output.result(state && asKnown(state), () => (state ? stateLine(state) : feature))
        })
      })
  }
}

export function featuresOf(store: EventStore, issuer: string): Features {
  const parts = { store, clock: systemClock, logger: consoleLogger }
  const heartbeat = new Heartbeat(parts)
  return new Features(new OperatorsLog({ ...parts, heartbeat, issuers: () => [issuer] }), {})
}

/** What the configuration says is known to the OP's processes alone: here it is left out. */
function asKnown({ feature, enabled, from, system, instance }: FeatureState): Partial<FeatureState> {
  return {
    feature,
    ...(from !== 'configuration' && { enabled }),
    from,
    ...(system && { system }),
    ...(instance && { instance }),
  }
}

function stateLine({ feature, enabled, from, instance, system }: FeatureState): string {
  if (from === 'configuration') return `${feature}  as the OP is configured`
  const setting = instance ?? system
  const who = setting ? `, by ${setting.actor}, ${moment(setting.at)}` : ''
  return `${feature}  ${enabled ? 'on' : 'off'}  (${from}${who})`
}
