/** Traces for the operator's collector: the section `tracing`. */
import { X509Certificate } from 'node:crypto'
import Type from 'typebox'
import { Value } from 'typebox/value'
import type { JsonObject } from '../core/json.ts'
import { Secret } from '../core/secret.ts'
import type { TracingConfig } from './config.ts'
import { isOpenToAll } from './files.ts'
import type { Loading } from './loading.ts'
import { closed, filePath } from './settings.ts'

const tracing = Type.Object(
  {
    otlp_url: Type.String({
      minLength: 1,
      description:
        'The collector (OTLP over HTTP, JSON): http://collector:4318, to which /v1/traces is added, or a URL with a path, which is taken as it is. Never reached through the proxy.',
    }),
    headers_file: filePath(
      'File with headers for it, such as a token: as in OTEL_EXPORTER_OTLP_HEADERS (name=value, percent-encoded, with commas between), or one a line.',
    ),
    ca_file: filePath('PEM file of the authority that signed the certificate of the collector (https only).'),
    sample_ratio: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description:
          'How many of the notify requests are traced, by chance: 0.01 is one of 100. Default: 1, which is all.',
      }),
    ),
  },
  {
    ...closed,
    description:
      'Traces of pushes for OpenTelemetry: from the notify request over the queue to the push service, without any ID (docs/operating.md). Default: none.',
  },
)

export const tracingSchema = Type.Optional(tracing)

const DEFAULT_PATH = 'v1/traces'
const URL_PATH = ['tracing', 'otlp_url']
const HEADERS_PATH = ['tracing', 'headers_file']
/** RFC 9110 §5.6.2. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i

/** Undefined where there is none, or where it is wrong, which is reported. */
export async function readTracing(
  { tracing: section }: JsonObject,
  loading: Loading,
): Promise<TracingConfig | undefined> {
  if (!Value.Check(tracing, section)) return undefined
  const { otlp_url: given, headers_file: headersFile, ca_file: caFile, sample_ratio: sampleRatio = 1 } = section
  const url = readUrl(given, caFile !== undefined, loading)
  const headers = headersFile === undefined ? new Map() : await readHeaders(loading.resolve(headersFile), loading)
  const authorities = caFile === undefined ? undefined : await readAuthorities(loading.resolve(caFile), loading)
  return url === undefined || headers === undefined ? undefined : { url, headers, authorities, sampleRatio }
}

async function readAuthorities(file: string, loading: Loading): Promise<Secret | undefined> {
  const path = ['tracing', 'ca_file']
  const text = await loading.read(file, path)
  if (text === undefined) return undefined
  try {
    void new X509Certificate(text)
    return new Secret(text)
  } catch {
    loading.report(path, `${file} holds no PEM certificate`)
    return undefined
  }
}

function readUrl(text: string, hasAuthority: boolean, loading: Loading): string | undefined {
  const url = URL.parse(text)
  const mistake =
    url === null || !['http:', 'https:'].includes(url.protocol)
      ? 'expected a URL such as http://collector:4318'
      : url.username !== '' || url.password !== ''
        ? 'no user or password can be in it; write them into headers_file, as authorization=Basic%20…'
        : hasAuthority && url.protocol === 'http:'
          ? 'is http, so ca_file has no use; write https'
          : undefined
  if (mistake !== undefined) loading.report(URL_PATH, mistake)
  if (url === null || mistake !== undefined) return undefined
  return url.pathname === '/' ? new URL(DEFAULT_PATH, url).href : url.href
}

async function readHeaders(file: string, loading: Loading): Promise<ReadonlyMap<string, Secret> | undefined> {
  const text = await loading.read(file, HEADERS_PATH)
  if (text === undefined) return undefined
  if (await isOpenToAll(file))
    loading.warn(
      HEADERS_PATH,
      'every user of this machine can read the file, or change it; take that away with: chmod o= FILE',
    )
  const headers = new Map<string, Secret>()
  for (const entry of text.split(/[,\n]/).map((each) => each.trim())) {
    if (entry === '') continue
    const header = headerOf(entry)
    if (header === undefined) {
      loading.report(
        HEADERS_PATH,
        'an entry of the file is not name=value, where % and , of a value are written as %25 and %2C',
      )
      return undefined
    }
    headers.set(...header)
  }
  return headers
}

function headerOf(entry: string): readonly [name: string, value: Secret] | undefined {
  const at = entry.indexOf('=')
  const [name, encoded] = [entry.slice(0, at).trim().toLowerCase(), entry.slice(at + 1).trim()]
  if (at < 0 || !HEADER_NAME.test(name)) return undefined
  try {
    const value = decodeURIComponent(encoded)
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    return /[\u0000-\u001f\u007f-\uffff]/.test(value) ? undefined : [name, new Secret(value)]
  } catch {
    return undefined
  }
}
