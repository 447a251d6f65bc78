/** What both ports have in common in OpenAPI. */

export type Paths = Record<string, object>

export const TAGS = { notify: 'notify port', admin: 'admin port' } as const

export function answer(description: string, contentType: string, schema: object): object {
  return { description, content: { [contentType]: { schema } } }
}

export function json(description: string, schema: object): object {
  return answer(description, 'application/json', schema)
}

/** `POST /dead/retry` is postDeadRetry. */
export function operationId(method: string, path: string): string {
  const words = path.split(/[/-]/).filter((word) => word !== '')
  return [method.toLowerCase(), ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join('')
}
