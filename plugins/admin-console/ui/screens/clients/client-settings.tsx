import { useSignal } from '@preact/signals'
import { Fragment } from 'preact'
import type { ClientDetail } from '../../../api/contract.ts'
import { AllowedButton } from '../../parts/allowed-button.tsx'
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
  const initiators = metadata.backchannel_logout_initiators
  return (
    <dl class="pairs">
      <dt>
        <code>backchannel_logout_uri</code>
      </dt>
      <dd>{metadata.backchannel_logout_uri === undefined ? 'none' : <code>{metadata.backchannel_logout_uri}</code>}</dd>
      <dt>
        <code>backchannel_logout_session_required</code>
      </dt>
      <dd>{flagText(metadata.backchannel_logout_session_required)}</dd>
      <dt>
        <code>backchannel_logout_initiators</code>
      </dt>
      <dd>
        {initiators === undefined ? 'all reasons' : initiators.map(reasonText).join(', ') || 'none: it is never told'}
      </dd>
      <dt>
        <code>backchannel_logout_skip_superseded</code>
      </dt>
      <dd>{flagText(metadata.backchannel_logout_skip_superseded)}</dd>
      <dt>
        <code>backchannel_logout_goes_by_sub</code>
      </dt>
      <dd>{flagText(metadata.backchannel_logout_goes_by_sub)}</dd>
      <dt>Network</dt>
      <dd>{isInside ? 'may be inside your own network' : 'must have a public address'}</dd>
    </dl>
  )
}

function Delivery({ delivery }: Pick<Settings, 'delivery'>) {
  const { retryDelaysMs, badRequestDelaysMs, timeoutMs, maxAgeMs, maxRetryAfterMs, concurrencyPerClient, circuit } =
    delivery
  const rows: readonly (readonly [string, string])[] = [
    ['Attempts', String(retryDelaysMs.length + 1)],
    ['Pauses between them', retryDelaysMs.map(duration).join(', ') || 'none'],
    ['After a 400', badRequestDelaysMs.map(duration).join(', ') || 'refused at once'],
    ['An attempt may take', duration(timeoutMs)],
    ['Given up after', duration(maxAgeMs)],
    ['Longest Retry-After', duration(maxRetryAfterMs)],
    ['At the same time', String(concurrencyPerClient)],
    ['Circuit opens after', `${circuit.failures ?? '–'} failures`],
    [
      'Confirmed by',
      delivery.confirmedBy.map((one) => (typeof one === 'number' ? one : `${one.status} ${one.body}`)).join(', '),
    ],
    ['Token is valid for', `${delivery.tokenLifetimeSeconds} s`],
    ['Token names', delivery.sidOnly ? 'the session alone' : 'the user and the session'],
  ]
  return (
    <dl class="pairs">
      {rows.map(([what, value]) => (
        <Fragment key={what}>
          <dt>{what}</dt>
          <dd>{value}</dd>
        </Fragment>
      ))}
    </dl>
  )
}

function flagText(flag: boolean | undefined): string {
  return flag === undefined ? 'not set' : flag ? 'yes' : 'no'
}
