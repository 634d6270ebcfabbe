import { useSignal } from '@preact/signals'
import type { ClientDetail } from '../../../api/contract.ts'
import { AllowedButton } from '../../parts/allowed-button.tsx'
import { type Pair, Pairs } from '../../parts/pairs.tsx'
import { duration } from '../../parts/time-text.ts'
import { reasonText } from '../../parts/words.ts'
import { ClientForm } from './client-form.tsx'

type Settings = ClientDetail['settings']

const SOURCES: Readonly<Record<Settings['source'], string>> = {
  configuration: 'It is one of the provider’s configuration, and is changed there.',
  stored: 'It is stored, and can be changed here.',
  elsewhere: 'The provider knows it from its metadata document, and it is changed there.',
  unreadable: 'Its stored metadata is invalid, or cannot be opened.',
}

/** What the client says of back-channel logout, and how it is tried; changed in place where it is a stored client. */
export function ClientSettingsView({ detail, reload }: { readonly detail: ClientDetail; readonly reload: () => void }) {
  const isEdited = useSignal(false)
  const { settings } = detail
  if (isEdited.value)
    return (
      <ClientForm
        settings={settings}
        close={() => {
          isEdited.value = false
        }}
        reload={reload}
      />
    )
  return (
    <section class="panel" aria-labelledby="client-settings">
      <div class="section-head">
        <h2 id="client-settings">Back-channel logout</h2>
        {settings.source === 'stored' && (
          <AllowedButton
            small
            onPress={() => {
              isEdited.value = true
            }}
          >
            Edit
          </AllowedButton>
        )}
      </div>
      <p class="hint">{SOURCES[settings.source]}</p>
      <Metadata metadata={settings.metadata} isInside={settings.isInside} />
      <details>
        <summary>How it is tried</summary>
        <Delivery delivery={settings.delivery} />
      </details>
    </section>
  )
}

function Metadata({ metadata, isInside }: Pick<Settings, 'metadata' | 'isInside'>) {
  const {
    backchannel_logout_uri: uri,
    backchannel_logout_session_required: isSessionRequired,
    backchannel_logout_initiators: initiators,
    backchannel_logout_skip_superseded: skipsSuperseded,
    backchannel_logout_goes_by_sub: goesBySub,
  } = metadata
  const reasons = initiators?.map(reasonText).join(', ') ?? 'all reasons'
  const members: readonly Pair[] = [
    ['backchannel_logout_uri', uri === undefined ? 'none' : <code>{uri}</code>],
    ['backchannel_logout_session_required', flagText(isSessionRequired)],
    ['backchannel_logout_initiators', reasons || 'none: it is never told'],
    ['backchannel_logout_skip_superseded', flagText(skipsSuperseded)],
    ['backchannel_logout_goes_by_sub', flagText(goesBySub)],
  ]
  const network = isInside ? 'may be inside your own network' : 'must have a public address'
  return <Pairs rows={[...members.map(([name, value]): Pair => [<code>{name}</code>, value]), ['Network', network]]} />
}

function Delivery({ delivery }: Pick<Settings, 'delivery'>) {
  const { retryDelaysMs, badRequestDelaysMs, timeoutMs, maxAgeMs, maxRetryAfterMs, concurrencyPerClient, circuit } =
    delivery
  const rows: readonly Pair[] = [
    ['Attempts', retryDelaysMs.length + 1],
    ['Pauses between them', retryDelaysMs.map(duration).join(', ') || 'none'],
    ['After a 400', badRequestDelaysMs.map(duration).join(', ') || 'refused at once'],
    ['An attempt may take', duration(timeoutMs)],
    ['Given up after', duration(maxAgeMs)],
    ['Longest Retry-After', duration(maxRetryAfterMs)],
    ['At the same time', concurrencyPerClient],
    ['Circuit opens after', `${circuit.failures ?? '–'} failures`],
    [
      'Confirmed by',
      delivery.confirmedBy.map((one) => (typeof one === 'number' ? one : `${one.status} ${one.body}`)).join(', '),
    ],
    ['Token is valid for', `${delivery.tokenLifetimeSeconds} s`],
    ['Token names', delivery.sidOnly ? 'the session alone' : 'the user and the session'],
  ]
  return <Pairs rows={rows} />
}

function flagText(flag: boolean | undefined): string {
  return flag === undefined ? 'not set' : flag ? 'yes' : 'no'
}
