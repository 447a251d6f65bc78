/** Errors of the notify port in OpenAPI, as the Matrix specification has them. */
import { json } from './document.ts'

export const error = (errcodes: readonly string[], description: string): object =>
  json(description, {
    type: 'object',
    properties: { errcode: { enum: errcodes }, error: { type: 'string' } },
    required: ['errcode', 'error'],
    additionalProperties: false,
  })

/** Of any path; what is no HTTP is answered 400, 408 or 431 in the same form. */
export const ANYWHERE = { 400: error(['M_UNRECOGNIZED'], 'The path cannot be read, or the header Host is missing.') }
