import type { ClientChange, ClientDetail } from '../../../api/contract.ts'
import type { Failure } from '../../server/failure.ts'

type Metadata = ClientDetail['settings']['metadata']

export type MemberName = keyof ClientChange['changes']

type FlagName = Exclude<MemberName, 'backchannel_logout_uri' | 'backchannel_logout_initiators'>

/** What stands in the form. */
export interface Draft {
  readonly uri: string
  readonly initiators: string
  /** `true`, `false`, or empty for a member that is not set. */
  readonly flags: Readonly<Record<FlagName, string>>
}

export const FLAGS: readonly { readonly name: FlagName; readonly hint: string }[] = [
  { name: 'backchannel_logout_session_required', hint: 'It wants a session id in each logout token.' },
  {
    name: 'backchannel_logout_skip_superseded',
    hint: 'It is not told without a session id once the user has logged in there again.',
  },
  {
    name: 'backchannel_logout_goes_by_sub',
    hint: 'It goes by the user of a logout token, though there is a session id.',
  },
]

export function draftOf(metadata: Metadata): Draft {
  const text = (name: FlagName) => (metadata[name] === undefined ? '' : String(metadata[name]))
  return {
    uri: metadata.backchannel_logout_uri ?? '',
    initiators: metadata.backchannel_logout_initiators?.join(' ') ?? '',
    flags: {
      backchannel_logout_session_required: text('backchannel_logout_session_required'),
      backchannel_logout_skip_superseded: text('backchannel_logout_skip_superseded'),
      backchannel_logout_goes_by_sub: text('backchannel_logout_goes_by_sub'),
    },
  }
}

/** The members that the draft changes; null where it removes one. */
export function changesOf(metadata: Metadata, draft: Draft): ClientChange['changes'] {
  const before = draftOf(metadata)
  const changes: Record<string, string | boolean | readonly string[] | null> = {}
  const uri = draft.uri.trim()
  if (uri !== before.uri) changes['backchannel_logout_uri'] = uri === '' ? null : uri
  const initiators = draft.initiators.split(/[\s,]+/).filter((one) => one !== '')
  if (initiators.join(' ') !== before.initiators)
    changes['backchannel_logout_initiators'] = initiators.length === 0 ? null : initiators
  for (const { name } of FLAGS) {
    const value = draft.flags[name]
    if (value !== before.flags[name]) changes[name] = value === '' ? null : value === 'true'
  }
  return changes
}

/** The field that the server's message is about. Messages name the member. */
export function fieldOf({ message, field }: Failure): MemberName | undefined {
  const names: readonly MemberName[] = [
    'backchannel_logout_uri',
    'backchannel_logout_initiators',
    ...FLAGS.map(({ name }) => name),
  ]
  return names.find((name) => name === field) ?? names.find((name) => message.includes(name))
}
