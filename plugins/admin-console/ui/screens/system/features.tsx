import type { FeatureState } from 'oidc-provider-eventstore'
import type { FeatureChange, FeaturesAnswer } from '../../../api/contract.ts'
import { ask } from '../../actions/action.ts'
import { AllowedButton } from '../../parts/allowed-button.tsx'
import { Chip } from '../../parts/chip.tsx'
import { ResourceView } from '../../parts/resource-view.tsx'
import { ScreenHead } from '../../parts/screen-head.tsx'
import { Time } from '../../parts/time.tsx'
import { apiUrl, request } from '../../server/request.ts'

const NAMES: Readonly<Record<string, readonly [name: string, about: string, off: string]>> = {
  back_channel_logout: [
    'Back-channel logout',
    'RPs are told of sessions that end.',
    'Nothing is registered or sent, and discovery does not announce it. What is pending waits.',
  ],
  single_session_termination: [
    'Logout of a single session',
    'An RP can end the session that its ID token names, also where it is not that of the browser. The user is asked first.',
    'A logout at an RP is about the session of the browser, whatever the RP’s ID token names.',
  ],
}

const LEVELS = [
  ['instance', 'this issuer'],
  ['system', 'all issuers of the log'],
] as const

const TOPICS = ['features'] as const

/** How each feature stands, and who has set it when. */
export function Features() {
  return (
    <ResourceView<FeaturesAnswer>
      url={apiUrl('/features')}
      topics={TOPICS}
      what="the features"
      head={() => (
        <ScreenHead
          title="Features"
          hint="This issuer’s setting wins, then that of all issuers, then the configuration."
        />
      )}
    >
      {({ features }, reload) =>
        features.map((feature) => <FeaturePanel key={feature.feature} state={feature} reload={reload} />)
      }
    </ResourceView>
  )
}

function FeaturePanel({ state, reload }: { readonly state: FeatureState; readonly reload: () => void }) {
  const { feature, enabled, from, configured } = state
  const [name, about] = namesOf(feature)
  const source = {
    instance: 'set for this issuer',
    system: 'set for all issuers',
    configuration: 'by the configuration',
  }
  return (
    <section class="panel" aria-label={name}>
      <div class="section-head">
        <h2>{name}</h2>
        <Chip tone={enabled ? 'good' : 'quiet'} text={enabled ? 'on' : 'off'} />
        <span class="hint">{source[from] ?? from}</span>
      </div>
      {about !== '' && <p class="hint">{about}</p>}
      <dl class="levels">
        {LEVELS.map(([level, whose]) => (
          <Level key={level} state={state} level={level} whose={whose} name={name} reload={reload} />
        ))}
        <div>
          <dt>Configuration</dt>
          <dd>{configured ? 'on' : 'off'}</dd>
        </div>
      </dl>
    </section>
  )
}

interface LevelProps {
  readonly state: FeatureState
  readonly level: FeatureChange['level']
  readonly whose: string
  readonly name: string
  readonly reload: () => void
}

function Level({ state, level, whose, name, reload }: LevelProps) {
  const setting = state[level]
  const change = (enabled: boolean | undefined) => askToChange({ ...state, level, whose, name, enabled, reload })
  return (
    <div>
      <dt>For {whose}</dt>
      <dd>
        {setting === undefined ? (
          'not set'
        ) : (
          <>
            {setting.enabled ? 'on' : 'off'}
            <span class="hint">
              {' '}
              by {setting.actor}, <Time at={setting.at} />
            </span>
          </>
        )}
      </dd>
      <dd class="buttons">
        {setting?.enabled !== true && (
          <AllowedButton small label={`Switch on: ${name}, for ${whose}`} onPress={() => change(true)}>
            Switch on…
          </AllowedButton>
        )}
        {setting?.enabled !== false && (
          <AllowedButton small label={`Switch off: ${name}, for ${whose}`} onPress={() => change(false)}>
            Switch off…
          </AllowedButton>
        )}
        {setting !== undefined && (
          <AllowedButton small label={`Reset: ${name}, for ${whose}`} onPress={() => change(undefined)}>
            Reset…
          </AllowedButton>
        )}
      </dd>
    </div>
  )
}

interface Change extends Pick<FeatureState, 'feature'>, Pick<LevelProps, 'level' | 'whose' | 'name' | 'reload'> {
  /** Undefined: what was set is taken back. */
  readonly enabled: boolean | undefined
}

function askToChange({ feature, level, whose, name, enabled, reload }: Change): void {
  const [, on, off] = namesOf(feature)
  const isReset = enabled === undefined
  const word = isReset ? 'Reset' : enabled ? 'Switch on' : 'Switch off'
  ask({
    title: `${word}: ${name}, for ${whose}`,
    about: isReset ? 'What was set is taken back, and the next level holds again.' : enabled ? on : off,
    verb: word,
    isDestructive: enabled === false,
    act: async () => {
      const body: FeatureChange = { feature, level, ...(!isReset && { enabled }) }
      await request<FeaturesAnswer>(apiUrl('/features'), { method: isReset ? 'DELETE' : 'PUT', body })
      return isReset ? `${name} is reset for ${whose}.` : `${name} is ${enabled ? 'on' : 'off'} for ${whose}.`
    },
    whenOver: reload,
  })
}

function namesOf(feature: string): readonly [name: string, about: string, off: string] {
  return (Object.hasOwn(NAMES, feature) ? NAMES[feature] : undefined) ?? [feature, '', '']
}
