import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import type { ClientChange, ClientDetail } from '../../../api/contract.ts'
import { sentence } from '../../parts/sentence.ts'
import { toast } from '../../parts/toast.ts'
import { asFailure, type Failure } from '../../server/failure.ts'
import { apiUrl, request } from '../../server/request.ts'
import { changesOf, type Draft, draftOf, FLAGS, fieldOf, type MemberName } from './client-draft.ts'

interface ClientFormProps {
  readonly settings: ClientDetail['settings']
  readonly close: () => void
  readonly reload: () => void
}

/** Changes what a stored client says of back-channel logout. What the server refuses is told beside the field. */
export function ClientForm({ settings, close, reload }: ClientFormProps) {
  const shown = useSignal(settings) // as it was when editing began: the server compares its version
  const draft = useSignal<Draft>(draftOf(settings.metadata))
  const failure = useSignal<Failure | undefined>(undefined)
  const isSaving = useSignal(false)
  const failing = failure.value && fieldOf(failure.value)
  const change = (part: Partial<Draft>) => {
    draft.value = { ...draft.value, ...part }
  }
  const save = async () => {
    const changes = changesOf(shown.value.metadata, draft.value)
    if (Object.keys(changes).length === 0) return close()
    isSaving.value = true
    failure.value = undefined
    try {
      const body: ClientChange = { client: settings.clientId, version: shown.value.version ?? '', changes }
      await request<ClientDetail>(apiUrl('/clients/one'), { method: 'PUT', body })
      toast(`${settings.clientId} is changed.`)
      reload()
      close()
    } catch (error) {
      failure.value = asFailure(error)
    } finally {
      isSaving.value = false
    }
  }
  const messageAt = (name: MemberName) => (failure.value && failing === name ? sentence(failure.value) : undefined)
  return (
    <form
      class="panel"
      aria-labelledby="client-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        if (!isSaving.value) void save()
      }}
    >
      <h2 id="client-form">Edit back-channel logout</h2>
      <Field
        name="backchannel_logout_uri"
        hint="Empty: the client is not told."
        message={messageAt('backchannel_logout_uri')}
      >
        {(attributes) => (
          <input
            {...attributes}
            type="url"
            autocomplete="off"
            spellcheck={false}
            value={draft.value.uri}
            onInput={({ currentTarget }) => change({ uri: currentTarget.value })}
          />
        )}
      </Field>
      <Field
        name="backchannel_logout_initiators"
        hint="The reasons for which it is told, with spaces between them. Empty: all."
        message={messageAt('backchannel_logout_initiators')}
      >
        {(attributes) => (
          <input
            {...attributes}
            type="text"
            autocomplete="off"
            spellcheck={false}
            value={draft.value.initiators}
            onInput={({ currentTarget }) => change({ initiators: currentTarget.value })}
          />
        )}
      </Field>
      {FLAGS.map(({ name, hint }) => (
        <Field key={name} name={name} hint={hint} message={messageAt(name)}>
          {(attributes) => (
            <select
              {...attributes}
              value={draft.value.flags[name] ?? ''}
              onChange={({ currentTarget: { value } }) => change({ flags: { ...draft.value.flags, [name]: value } })}
            >
              <option value="">not set</option>
              <option value="true">yes</option>
              <option value="false">no</option>
            </select>
          )}
        </Field>
      ))}
      {failure.value && failing === undefined && (
        <p class="outcome bad" role="alert">
          {sentence(failure.value)}
        </p>
      )}
      {failure.value?.code === 'CLIENT_CHANGED' && (
        <button
          type="button"
          onClick={() => {
            reload()
            close()
          }}
        >
          Show it as it is now
        </button>
      )}
      <div class="buttons">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" class="primary" aria-disabled={isSaving.value}>
          {isSaving.value ? 'Saving…' : 'Save'}
        </button>
      </div>
    </form>
  )
}

interface Attributes {
  readonly id: string
  readonly 'aria-describedby': string
  readonly 'aria-invalid': boolean
}

interface FieldProps {
  readonly name: MemberName
  readonly hint: string
  readonly message: string | undefined
  readonly children: (attributes: Attributes) => ComponentChildren
}

function Field({ name, hint, message, children }: FieldProps) {
  const id = useId()
  const described = `${id}-hint`
  return (
    <div class="field">
      <label for={id}>
        <code>{name}</code>
      </label>
      {children({ id, 'aria-describedby': described, 'aria-invalid': message !== undefined })}
      <p
        id={described}
        class={message === undefined ? 'hint' : 'field-message'}
        role={message === undefined ? undefined : 'alert'}
      >
        {message ?? hint}
      </p>
    </div>
  )
}
