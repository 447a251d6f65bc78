/** Writes docs/openapi.json: both ports, from the table of the operator's API and the schemas that its answers have. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { adminPaths } from './openapi/admin.ts'
import { TAGS, type Paths } from './openapi/document.ts'
import { notifyPaths } from './openapi/notify.ts'

const ROOT = join(import.meta.dirname, '..')
export const openapiFile = join(ROOT, 'docs/openapi.json')

export function writeOpenapi(): string {
  const { version }: { version: string } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const document = {
    openapi: '3.1.0',
    info: {
      title: 'Hushgate',
      version,
      description:
        'The port that homeservers post to, and the port for the operator. Made from the code by "npm run schema".',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: [
      { name: TAGS.notify, description: 'http.host and http.port of the configuration. Open to the world.' },
      { name: TAGS.admin, description: 'admin.host and admin.port of the configuration. Never open to the world.' },
    ],
    paths: {
      ...at(notifyPaths(), 'http://127.0.0.1:5000', 'The notify port.'),
      ...at(adminPaths(), 'http://127.0.0.1:5001', 'The admin port.'),
    },
    components: {
      schemas: {
        Error: {
          type: 'object',
          properties: { error: { type: 'string', description: 'A sentence.' } },
          required: ['error'],
          additionalProperties: false,
        },
      },
      securitySchemes: {
        vapid: {
          type: 'http',
          scheme: 'vapid',
          description: 'RFC 8292, signed with the key that the endpoint was made for.',
        },
        token: { type: 'http', scheme: 'bearer', description: 'What is in the file admin.token_file.' },
      },
    },
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

function at(paths: Paths, url: string, description: string): Paths {
  return Object.fromEntries(
    Object.entries(paths).map(([path, item]) => [path, { servers: [{ url, description }], ...item }]),
  )
}

if (import.meta.main) writeFileSync(openapiFile, writeOpenapi())
