import { describe, expect, it } from 'vitest'
import { isJsonObject, jsonObject, type JsonObject, type JsonValue } from '../../src/core/json.ts'
import { formatPath } from '../../src/config/config-error.ts'
import { translateSygnal, type Translated } from '../../src/config/sygnal/translate.ts'

const APNS = { type: 'apns', keyfile: 'k.p8', key_id: 'ABCDEFGHIJ', team_id: 'KLMNOPQRST', topic: 'com.example' }
const GCM = { type: 'gcm', api_version: 'v1', project_id: 'p', service_account_file: 's.json' }
const WEBPUSH = { type: 'webpush', vapid_private_key: 'v.pem', vapid_contact_email: 'ops@example.org' }

function translate(document: JsonValue, httpsProxy?: string): Translated {
  return translateSygnal(document, { workingDirectory: '/srv/sygnal', httpsProxy })
}

/** With one app, which has nothing to be said about but what all of its kind have. */
function withApp(sections: JsonObject): Translated {
  return translate({ ...sections, apps: { a: APNS } })
}

function app(options: JsonObject): { readonly options: JsonObject; readonly notes: readonly string[] } {
  const { config, notes, mistakes } = translate({ apps: { a: options } })
  expect(mistakes).toEqual([])
  const apps = config['apps']
  const section = isJsonObject(apps) && isJsonObject(apps['a']) ? apps['a'] : {}
  return { options: section, notes: short(notes).filter((note) => note.includes(' apps.a')) }
}

/** `kind path`, without what is said. */
function short(notes: Translated['notes']): string[] {
  return notes.map(({ kind, path }) => `${kind} ${formatPath(path)}`)
}

function said(translated: Translated): string[] {
  const always = new Set(short(withApp({}).notes))
  return short(translated.notes).filter((note) => !always.has(note))
}

function refused(document: JsonValue): string[] {
  return translate(document).mistakes.map(({ path, message }) => `${formatPath(path)}: ${message}`)
}

describe('translateSygnal', () => {
  it("fills in Sygnal's defaults where they are not ours", () => {
    expect(withApp({}).config).toEqual({
      http: { host: '127.0.0.1', port: 5000 },
      admin: { host: '127.0.0.1', port: 5001 },
      privacy: 'full',
      unknown_app: 'reject',
      apps: {
        a: {
          type: 'apns',
          key_file: '/srv/sygnal/k.p8',
          key_id: 'ABCDEFGHIJ',
          team_id: 'KLMNOPQRST',
          topic: 'com.example',
          push_type: 'none',
          token_format: 'base64',
        },
      },
    })
  })

  it('takes a section without content for one that is not there, as Sygnal does', () => {
    const sections = {
      http: null,
      log: null,
      metrics: { prometheus: null, sentry: null, opentracing: null },
      proxy: null,
    }
    expect(withApp(sections).config).toEqual(withApp({}).config)
  })

  it('says which settings Sygnal itself ignores', () => {
    const sections = {
      db: {},
      database: null,
      colour: 'blue',
      http: { ssl: true },
      metrics: { prometheus: { path: '/' } },
    }
    expect(said(withApp(sections))).toEqual([
      'obsolete colour',
      'obsolete db',
      'obsolete database',
      'obsolete http.ssl',
      'obsolete metrics.prometheus.path',
    ])
  })

  it.each<[JsonValue, JsonValue, string[]]>([
    [['127.0.0.1'], '127.0.0.1', []],
    [['0.0.0.0'], '0.0.0.0', []],
    [['0.0.0.0', '::'], '::', []],
    [[''], '::', []],
    [['::'], '::', ['differs http.bind_addresses']],
    [['127.0.0.1', '::1'], 'localhost', []],
    [['10.0.0.1', '10.0.0.1'], '10.0.0.1', []],
    [['10.0.0.1', '10.0.0.2'], '10.0.0.1', ['cannot http.bind_addresses']],
    [['10.0.0.1', '0.0.0.0'], '0.0.0.0', ['cannot http.bind_addresses']],
  ])('listens for bind_addresses %j on %j', (addresses, host, notes) => {
    const translated = withApp({ http: { bind_addresses: addresses } })
    expect(translated.config['http']).toEqual({ host, port: 5000 })
    expect(said(translated)).toEqual(notes)
  })

  it.each<[JsonObject, JsonObject, string[]]>([
    [{ http: { port: 5001 } }, { host: '127.0.0.1', port: 5002 }, []],
    [{ http: { port: '5001' } }, { host: '127.0.0.1', port: 5002 }, []],
    [{ metrics: { prometheus: { enabled: true } } }, { host: '127.0.0.1', port: 8000 }, []],
    [{ metrics: { prometheus: { enabled: true, port: '9000' } } }, { host: '127.0.0.1', port: 9000 }, []],
    [
      { metrics: { prometheus: { enabled: true, address: '' } } },
      { host: '0.0.0.0', port: 8000 },
      ['safer metrics.prometheus.address'],
    ],
    [{ metrics: { prometheus: { enabled: 'true', port: 9000 } } }, { host: '127.0.0.1', port: 5001 }, []],
  ])('makes of %j the admin port %j', (sections, admin, notes) => {
    const translated = withApp(sections)
    expect(translated.config['admin']).toEqual(admin)
    expect(said(translated)).toEqual(notes)
  })

  it('says what of the metrics is not carried over, where it is enabled', () => {
    const metrics = (enabled: boolean) => ({ opentracing: { enabled }, sentry: { enabled } })
    expect(said(withApp({ metrics: metrics(false) }))).toEqual([])
    expect(said(withApp({ metrics: metrics(true) }))).toEqual(['cannot metrics.opentracing', 'cannot metrics.sentry'])
  })

  it.each<[JsonValue | undefined, string | undefined, JsonValue | undefined, boolean]>([
    ['http://p:1', undefined, 'http://p:1', false],
    ['http://p:1', 'http://env:1', 'http://p:1', false],
    [null, 'http://env:1', 'http://env:1', true],
    [undefined, 'http://env:1', 'http://env:1', true],
    ['', 'http://env:1', undefined, false],
    [undefined, '', undefined, false],
    [undefined, undefined, undefined, false],
  ])('with proxy %j and HTTPS_PROXY %j uses %j', (proxy, httpsProxy, expected, isFromEnvironment) => {
    const translated = translate({ apps: { a: APNS }, ...(proxy === undefined ? {} : { proxy }) }, httpsProxy)
    expect(translated.config['proxy']).toBe(expected)
    expect(translated.isProxyFromEnvironment).toBe(isFromEnvironment)
  })

  it('says that a % in the password of the proxy means something else here', () => {
    expect(said(withApp({ proxy: 'http://user:50%@p:1' }))).toEqual(['differs proxy', 'differs proxy'])
    expect(said(withApp({ proxy: 'http://user:fifty@p:1' }))).toEqual(['differs proxy'])
  })
})

describe('translateSygnal, log', () => {
  const handlers = { out: { class: 'logging.StreamHandler', stream: 'ext://sys.stdout' } }

  it.each<[string, JsonObject, JsonObject | undefined]>([
    ['nothing', {}, undefined],
    ['a level of root', { root: { level: 'DEBUG' } }, { level: 'debug', format: 'text' }],
    ["Python's default", { root: { handlers: ['out'] } }, { level: 'warn', format: 'text' }],
    ['a number', { root: { level: 35 } }, { level: 'error', format: 'text' }],
    ['an old name', { root: { level: 'FATAL' } }, { level: 'fatal', format: 'text' }],
    [
      "a level of Sygnal's own logger",
      { root: { level: 'ERROR' }, loggers: { sygnal: { level: 'INFO' } } },
      { level: 'info', format: 'text' },
    ],
    [
      'a logger without level',
      { root: { level: 'ERROR' }, loggers: { sygnal: { level: 'NOTSET' } } },
      { level: 'error', format: 'text' },
    ],
    [
      'a handler that lets less through',
      { handlers: { out: { ...handlers.out, level: 'ERROR' } }, root: { level: 'INFO', handlers: ['out'] } },
      { level: 'error', format: 'text' },
    ],
    [
      'a JSON formatter',
      {
        formatters: { json: { '()': 'pythonjsonlogger.jsonlogger.JsonFormatter' } },
        handlers: { out: { ...handlers.out, formatter: 'json' } },
        root: { level: 'INFO', handlers: ['out'] },
      },
      { level: 'info', format: 'json' },
    ],
    [
      'a format that spells JSON out',
      {
        formatters: { json: { format: '{"message": "%(message)s"}' } },
        handlers: { out: { ...handlers.out, formatter: 'json' } },
        root: { level: 'INFO', handlers: ['out'] },
      },
      { level: 'info', format: 'json' },
    ],
  ])('reads %s', (_name, setup, expected) => {
    expect(withApp({ log: { setup } }).config['log']).toEqual(expected)
  })

  it('says what is not carried over', () => {
    const setup = {
      filters: { f: {} },
      handlers: {
        ...handlers,
        err: { class: 'logging.StreamHandler' },
        file: { class: 'logging.FileHandler' },
        unused: {},
      },
      loggers: {
        sygnal: { handlers: ['out', 'file'] },
        'sygnal.access': { level: 'INFO' },
        aioapns: { level: 'ERROR' },
      },
      root: { level: 'INFO', handlers: ['err'] },
    }
    expect(said(withApp({ log: { setup, access: { x_forwarded_for: true } } }))).toEqual([
      'cannot log.setup.handlers.file',
      'differs log.setup.handlers.err',
      'differs log.setup',
      'cannot log.setup.loggers["sygnal.access"]',
      'cannot log.setup.loggers.aioapns',
      'cannot log.setup.filters',
      'obsolete log.access.x_forwarded_for',
    ])
  })
})

describe('translateSygnal, apps', () => {
  it.each<[string, JsonObject, JsonObject]>([
    ['platform: prod', { platform: 'prod' }, { platform: 'production' }],
    ['platform: sandbox', { platform: 'sandbox' }, { platform: 'sandbox' }],
    ['push_type', { push_type: 'background' }, { push_type: 'background' }],
    ['hex tokens', { convert_device_token_to_hex: false }, { token_format: 'hex' }],
    ['no counts', { send_badge_counts: false }, { counts: 'none' }],
    ['what is the default', { send_badge_counts: true, convert_device_token_to_hex: true, platform: '' }, {}],
  ])('carries over %s of apns', (_name, options, expected) => {
    expect(app({ ...APNS, ...options }).options).toEqual({ ...app(APNS).options, ...expected })
  })

  it('uses the certificate where there is one, as Sygnal does', () => {
    expect(app({ ...APNS, certfile: '/etc/cert.pem' })).toEqual({
      options: { type: 'apns', cert_file: '/etc/cert.pem', push_type: 'none', token_format: 'base64' },
      notes: [
        'obsolete apps.a.keyfile',
        'obsolete apps.a.key_id',
        'obsolete apps.a.team_id',
        'obsolete apps.a.topic',
        'safer apps.a.push_type',
      ],
    })
  })

  it('carries over gcm as fcm', () => {
    const fcm = { type: 'fcm', service_account_file: '/srv/sygnal/s.json', project_id: 'p', badge_pushes: 'send' }
    expect(app(GCM)).toEqual({ options: fcm, notes: ['safer apps.a'] })
    const android = { android: { ttl: '60s' } }
    const more = { max_connections: 7, send_badge_counts: false, fcm_options: { ...android, data: {}, token: 'x' } }
    expect(app({ ...GCM, ...more })).toEqual({
      options: { ...fcm, max_connections: 7, counts: 'none', options: android },
      notes: ['obsolete apps.a.fcm_options.data', 'obsolete apps.a.fcm_options.token', 'safer apps.a'],
    })
  })

  it('takes a service account without api_version for v1', () => {
    const { api_version: _, ...unsaid } = GCM
    expect(app(unsaid)).toEqual({ options: app(GCM).options, notes: ['differs apps.a.api_version', 'safer apps.a'] })
  })

  it('carries over webpush', () => {
    const ours = {
      type: 'webpush',
      vapid_private_key_file: '/srv/sygnal/v.pem',
      vapid_subject: 'mailto:ops@example.org',
      ttl: 900,
    }
    const open = { ...ours, allowed_endpoints: ['*'] }
    expect(app(WEBPUSH)).toEqual({
      options: open,
      notes: ['risky apps.a.allowed_endpoints', 'differs apps.a.allowed_endpoints'],
    })
    expect(app({ ...WEBPUSH, allowed_endpoints: [] }).options).toEqual(open)
    expect(app({ ...WEBPUSH, allowed_endpoints: ['*.x'], ttl: 1, max_connections: 2 }).options).toEqual({
      ...ours,
      allowed_endpoints: ['*.x'],
      ttl: 1,
      max_connections: 2,
    })
  })

  it('says what has no meaning here, or none in Sygnal', () => {
    const options = { ...WEBPUSH, inflight_request_limit: 5, send_badge_counts: false, colour: 'blue' }
    expect(app(options).notes.filter((note) => note.startsWith('obsolete'))).toEqual([
      'obsolete apps.a.send_badge_counts',
      'obsolete apps.a.colour',
      'obsolete apps.a.inflight_request_limit',
    ])
  })

  it('lets globs overlap only where they do', () => {
    const apps = (...names: string[]) => Object.fromEntries(names.map((name) => [name, APNS]))
    expect(translate({ apps: apps('a.*', 'b.*', 'a.b') }).config['overlapping_apps']).toBeUndefined()
    expect(translate({ apps: apps('a.*', '*.b') }).config['overlapping_apps']).toBe('unknown')
  })

  it('leaves out an app whose API is switched off, and says so', () => {
    const translated = translate({ apps: { a: APNS, old: { type: 'gcm', api_key: 'k' } } })
    expect(translated.mistakes).toEqual([])
    expect(Object.keys(isJsonObject(translated.config['apps']) ? translated.config['apps'] : {})).toEqual(['a'])
    expect(said(translated)).toEqual(['cannot apps.old.api_version'])
  })

  it('keeps an app that is called like a property of every object', () => {
    const apps = jsonObject([['__proto__', APNS]])
    expect(JSON.stringify(translate({ apps }).config['apps'])).toMatch('"__proto__":{"type":"apns"')
  })

  it.each<[string, JsonValue, RegExp]>([
    ['no app', { apps: null }, /^apps: has no app/],
    ['a list', [], /^: expected a section of settings$/],
    ['text for a section', { http: 'x', apps: { a: APNS } }, /^http: expected a section of settings$/],
    ['one address', { http: { bind_addresses: '::' }, apps: { a: APNS } }, /^http.bind_addresses: expected a list/],
    [
      'a level that is none',
      { log: { setup: { root: { level: 'LOUD' } } }, apps: { a: APNS } },
      /^log.setup.root.level: /,
    ],
    ['an app that is text', { apps: { a: 'apns' } }, /^apps.a: expected a section of settings with a type$/],
    ['no type', { apps: { a: {} } }, /^apps.a.type: is missing/],
    ['an unknown type', { apps: { a: { type: 'hms' } } }, /^apps.a.type: unknown to Sygnal/],
    ['our name of a type', { apps: { a: { type: 'fcm' } } }, /write type: gcm$/],
    ["a class of Sygnal's", { apps: { a: { type: 'sygnal.apnspushkin.ApnsPushkin' } } }, /write type: apns$/],
    [
      "a pushkin of one's own",
      { apps: { a: { type: 'my.Pushkin' } } },
      /^apps.a.type: my.Pushkin is a pushkin of your own/,
    ],
    ['only a dead API', { apps: { a: { type: 'gcm', api_version: 'legacy', api_key: 'k' } } }, /Google has switched/],
    ['an unknown API', { apps: { a: { ...GCM, api_version: 'v2' } } }, /^apps.a.api_version: expected "v1"$/],
    ['no credential', { apps: { a: { type: 'apns' } } }, /^apps.a.keyfile: is missing/],
    [
      'text for a yes',
      { apps: { a: { ...APNS, send_badge_counts: 'no' } } },
      /^apps.a.send_badge_counts: expected true/,
    ],
  ])('refuses %s', (_name, document, expected) => {
    expect(refused(document)[0]).toMatch(expected)
  })
})
