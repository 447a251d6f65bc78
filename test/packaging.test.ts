/** What an operator gets beside the gateway: documents that are not stale, examples that fit it and each other, workflows that download what is meant. */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { mistakesIn } from '../scripts/check-release.ts'
import { LAUNCH_OPTIONS } from '../scripts/launch-options.ts'
import { configurationDoc, writeConfiguration } from '../scripts/write-configuration-doc.ts'
import { openapiFile, writeOpenapi } from '../scripts/write-openapi.ts'
import { configSchema } from '../src/config/json-schema.ts'
import { isJsonObject, type JsonObject } from '../src/core/json.ts'
import { providers } from '../src/providers/index.ts'

const CHECKOUT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(CHECKOUT, path), 'utf8')

function readYaml(path: string): JsonObject {
  const value: unknown = parse(read(path))
  return isJsonObject(value) ? value : {}
}

/** What the paths lead to; undefined where there is nothing. */
function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, name) => (isJsonObject(inner) ? inner[name] : undefined), value)
}

describe('docs/configuration.md', () => {
  it('says what the schema says; renew it with: npm run schema', () => {
    expect(readFileSync(configurationDoc, 'utf8')).toBe(writeConfiguration())
  })
})

describe('docs/openapi.json', () => {
  it('says what the routes and their schemas say; renew it with: npm run schema', () => {
    expect(readFileSync(openapiFile, 'utf8')).toBe(writeOpenapi())
  })
})

describe('how the program is started', () => {
  it.each(['bin/hushgate', 'Dockerfile'])('by %s is how it is measured (scripts/launch-options.ts)', (path) => {
    const text = read(path)
    const { nodeArguments, environment } = LAUNCH_OPTIONS
    const [arena = ''] = Object.values(environment)
    expect(nodeArguments.filter((argument) => !text.includes(`=${argument}`))).toEqual([])
    expect(text).toMatch(new RegExp(`MALLOC_ARENA_MAX(=|[^\n]*:-)"?${arena}`))
  })
})

describe('the image that people build', () => {
  it.each(['docs/deploying.md', 'Dockerfile'])(
    'keeps its health check, which podman drops without --format docker, by %s',
    (path) => {
      const commands = [...read(path).matchAll(/podman build [^`\n(]*/g)].map(([command]) => command)
      expect(commands.length).toBeGreaterThan(0)
      expect(commands.filter((command) => !command.includes('--format docker'))).toEqual([])
    },
  )
})

describe('the examples', () => {
  it.each(['compose/hushgate/hushgate.yaml', 'systemd/hushgate.yaml'])('%s is valid', (path) => {
    expect(Value.Errors(configSchema(providers), readYaml(`config/examples/${path}`))).toEqual([])
  })

  it('the systemd unit loads the credentials that its configuration reads', () => {
    const unit = read('config/examples/systemd/hushgate.service')
    const loaded = [...unit.matchAll(/^LoadCredential=([^:]+):\/etc\/hushgate\/credentials\/\1$/gm)].map(
      ([, name]) => name,
    )
    const used = read('config/examples/systemd/hushgate.yaml').matchAll(/\$\{CREDENTIALS_DIRECTORY\}\/(\S+)/g)
    expect(loaded).toEqual([...used].map(([, name]) => name))
    expect(loaded.length).toBeGreaterThan(1)
  })

  it('the README has the compose file of the five minutes, to paste', () => {
    const [, pasted] = /^cat > compose\.yaml <<'YAML'\n([^]*?)^YAML$/m.exec(read('README.md')) ?? []
    expect(pasted).toBe(read('config/examples/compose-sqlite/compose.yaml'))
    const [, configuration = ''] =
      /^cat > hushgate\/hushgate\.yaml <<'YAML'\n([^]*?)^YAML$/m.exec(read('README.md')) ?? []
    expect(Value.Errors(configSchema(providers), recordOf(parse(configuration)))).toEqual([])
  })

  it.each([
    ['compose', ['hushgate', 'redis']],
    ['compose-sqlite', ['hushgate']],
  ])('in %s what needs it starts when init has ended', (example, waiting) => {
    const { services } = readYaml(`config/examples/${example}/compose.yaml`)
    const conditions = waiting.map((name) => at(services, name, 'depends_on', 'init', 'condition'))
    expect(conditions).toEqual(waiting.map(() => 'service_completed_successfully'))
  })

  it.each([
    ['compose', ['./hushgate:/etc/hushgate:ro']],
    ['compose-sqlite', ['./hushgate:/etc/hushgate:ro', 'data:/data']],
  ])('the compose file %s runs this version, as the tests of the image run it', (example, volumes) => {
    const { services } = readYaml(`config/examples/${example}/compose.yaml`)
    const { version } = JSON.parse(read('package.json'))
    expect(at(services, 'hushgate')).toMatchObject({
      image: `ghcr.io/hushgate/hushgate:${version}`,
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      volumes,
    })
  })

  it('the compose file lets Prometheus ask the admin port, and nobody outside', () => {
    const { services, networks } = readYaml('config/examples/compose/compose.yaml')
    expect(at(readYaml('config/examples/compose/hushgate/hushgate.yaml'), 'admin', 'host')).toBe('0.0.0.0')
    expect(at(services, 'hushgate', 'ports')).toEqual(['127.0.0.1:5000:5000'])
    expect(at(networks, 'monitoring')).toEqual({ internal: true })
    for (const name of ['hushgate', 'prometheus']) expect(at(services, name, 'networks')).toContain('monitoring')
    expect(at(services, 'prometheus')).not.toHaveProperty('ports')
    for (const name of ['prometheus', 'grafana']) expect(at(services, name, 'profiles')).toEqual(['monitoring'])
    const { scrape_configs: scraped } = readYaml('config/examples/monitoring/prometheus.yml')
    expect(scraped).toMatchObject([{ static_configs: [{ targets: ['hushgate:5001'] }] }])
  })

  it('the compose file lets nobody but the gateway reach Redis', () => {
    const { services, networks } = readYaml('config/examples/compose/compose.yaml')
    expect(at(networks, 'redis')).toEqual({ internal: true })
    expect(at(services, 'redis', 'networks')).toEqual(['redis'])
    expect(at(services, 'redis')).not.toHaveProperty('ports')
  })
})

describe('a release', () => {
  const written = new Map(
    ['package.json', 'helm/Chart.yaml', 'config/examples/compose/compose.yaml', 'Dockerfile'].map((path) => [
      path,
      read(path),
    ]),
  )
  const { version } = JSON.parse(read('package.json'))
  const tag = `v${version}`
  const changelog = `## Unreleased\n\n## ${version} - 2026-12-01\n\n- What changed.\n`
  const mistakes = (path: string, text: string, of = tag): readonly string[] =>
    mistakesIn(of, (asked) =>
      asked === path ? text : asked === 'CHANGELOG.md' ? changelog : (written.get(asked) ?? ''),
    )

  it('is made when everything says the same version and the bases have digests', () => {
    expect(mistakes('CHANGELOG.md', changelog)).toEqual([])
  })

  it.each([
    [
      'another version than the chart',
      'helm/Chart.yaml',
      (text: string) => text.replace(`\nversion: ${version}`, '\nversion: 9.9.9'),
    ],
    [
      'another version than the package',
      'package.json',
      (text: string) => text.replace(`"version": "${version}"`, '"version": "9.9.9"'),
    ],
    [
      'another version than the compose file',
      'config/examples/compose/compose.yaml',
      (text: string) => text.replace(`hushgate:${version}`, 'hushgate:9.9.9'),
    ],
    ['a base without a digest', 'Dockerfile', (text: string) => text.replace(/@sha256:\w+/, '')],
    ['changes that are not released', 'CHANGELOG.md', () => changelog.replace('Unreleased', 'Unreleased\n\n- More.')],
    ['no changes at all', 'CHANGELOG.md', () => '## Unreleased\n'],
  ])('is refused with %s', (_what, path, change) => {
    expect(mistakes(path, change(written.get(path) ?? ''))).toHaveLength(1)
  })

  it.each(['main', 'v1', '1.2.3', 'v1.2.3.4'])('is not made of %s', (of) => {
    expect(mistakes('', '', of)).toEqual([`${of} is not a tag of a release, such as v1.2.3`])
  })
})

describe('the workflows', () => {
  const files = globSync('.github/workflows/*.yml', { cwd: CHECKOUT }).sort()
  const jobs = files.flatMap((path) => Object.entries(recordOf(readYaml(path)['jobs'])))
  const stepsOf = (job: unknown): readonly JsonObject[] => {
    const steps = at(job, 'steps')
    return Array.isArray(steps) ? steps.filter(isJsonObject) : []
  }
  const steps = jobs.flatMap(([, job]) => stepsOf(job))
  const scripts = steps.flatMap((step) => (typeof step['run'] === 'string' ? [step['run']] : []))

  it.each(files)('%s take actions by commit, with few rights', (path) => {
    expect(readYaml(path)['permissions']).toEqual({ contents: 'read' })
    const uses = [...read(path).matchAll(/uses: (.*)/g)].map(([, action]) => action ?? '')
    expect(uses.length).toBeGreaterThan(0)
    expect(uses.filter((action) => !/^(\.\/.*|[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+.*)$/.test(action))).toEqual([])
  })

  it('give more rights to these jobs only', () => {
    const granted = jobs.flatMap(([name, job]) => {
      const permissions = at(job, 'permissions')
      return permissions === undefined ? [] : [[name, permissions]]
    })
    expect(Object.fromEntries(granted)).toEqual({
      build: { contents: 'read', packages: 'write' },
      try: { contents: 'read', packages: 'read' },
      publish: { contents: 'write', packages: 'write', 'id-token': 'write', attestations: 'write' },
      pages: { pages: 'write', 'id-token': 'write' },
    })
  })

  it('let nothing of the checkout or of a package run where something is signed', () => {
    const publish = JSON.stringify(jobs.find(([name]) => name === 'publish')?.[1])
    expect(publish).toContain('actions/attest@')
    expect(publish).not.toMatch(/actions\/checkout|setup-node|\b(npm|npx|node|make)\b /)
  })

  it('attest the image, the chart, and each file of a release', () => {
    const attested = steps.filter(({ uses }) => typeof uses === 'string' && uses.startsWith('actions/attest@'))
    expect(attested.map((step) => step['with'])).toEqual([
      expect.objectContaining({ 'subject-name': '${{ env.IMAGE }}', 'subject-digest': '${{ env.DIGEST }}' }),
      expect.objectContaining({ 'subject-name': '${{ steps.push.outputs.chart }}', 'push-to-registry': true }),
      { 'subject-path': 'release/*.tgz\nrelease/*.json\n' },
    ])
    expect(scripts.find((script) => script.includes('gh release create'))).toContain('release/*.tgz release/*.json')
  })

  it('have scripts that a shell can read, without anything that is put in from outside', () => {
    expect(scripts.length).toBeGreaterThan(10)
    expect(scripts.filter((script) => script.includes('${{'))).toEqual([])
    const readable = scripts.map((input) => spawnSync('bash', ['-n'], { input, encoding: 'utf8' }).stderr)
    expect(readable.filter((complaint) => complaint !== '')).toEqual([])
  })
})

function recordOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {}
}
