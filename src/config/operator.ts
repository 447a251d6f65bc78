/** Names for the page for people: the section `operator`, who runs the gateway, and what an app is called. */
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import type { JsonObject } from '../core/json.ts'
import { closed } from './settings.ts'

const operator = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 100,
      description: 'Your name, or that of your organisation, in words that the users of your apps know.',
    }),
    contact: Type.String({
      pattern: String.raw`^(mailto:[^\s@]+@[^\s@]+|https://[^\s/]+\S*)$`,
      maxLength: 500,
      description: 'Where users reach you: mailto:privacy@example.org, or an https address.',
    }),
  },
  { ...closed, description: 'Who runs this gateway, for the page for people at /. Default: the page names nobody.' },
)
export type OperatorConfig = Readonly<Static<typeof operator>>

export const operatorSchema = Type.Optional(operator)

export const displayNameSchema = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 60,
    description: 'What users call the app, for the page for people at /. Default: its name in this file.',
  }),
)

/** Undefined where there is none, or where it is wrong, which is reported. */
export function readOperator({ operator: section }: JsonObject): OperatorConfig | undefined {
  return Value.Check(operator, section) ? section : undefined
}
