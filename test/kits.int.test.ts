/** The kits in config/examples: an Ansible role, which is run on this machine into a folder, and a NixOS module, which is evaluated. Without npm, systemd and NixOS. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { codeOf } from '../scripts/document-code.ts'
import { installPackages } from '../scripts/install-python.ts'
import { isJsonObject, type JsonObject } from '../src/core/json.ts'
import { configSchema } from '../src/config/json-schema.ts'
import { providers } from '../src/providers/index.ts'

const EXAMPLES = join(import.meta.dirname, '../config/examples')
const PLAYBOOK = join(EXAMPLES, 'ansible/playbook.yml')
const NIXOS = join(import.meta.dirname, 'fixtures/nixos.nix')
const ANSIBLE = ['ansible-core==2.18.1']
const INSTALL_MS = 300_000

describe('the Ansible role', () => {
  let folder: string
  let bin: string
  const at = (path: string): string => join(folder, path)
  const [program, ...words] = codeOf('docs/deploying.md', 'ansible-playbook').split(' ')
  /** The line of the document, for this machine. */
  const here = words.map((word) => word.replace('push.example.com', 'localhost').replace('playbook.yml', PLAYBOOK))
  const play = (...args: readonly string[]): string =>
    execFileSync(join(bin, program ?? ''), [...here, '--connection', 'local', ...args], {
      encoding: 'utf8',
      env: { ...process.env, ANSIBLE_HOME: at('ansible'), ANSIBLE_NOCOLOR: '1', ANSIBLE_LOCALHOST_WARNING: 'false' },
    })
  /** Only what it writes, into the folder instead of /, as whoever runs this. */
  const write = (): string => {
    const variables = {
      ansible_python_interpreter: join(bin, 'python'),
      hushgate_root: at('root'),
      hushgate_owner: userInfo().username,
      ansible_become: false,
      hushgate_credentials: { 'apns.p8': at('AuthKey.p8'), 'firebase.json': at('firebase.json') },
    }
    return play('--tags', 'hushgate_files', '--extra-vars', JSON.stringify(variables))
  }

  beforeAll(async () => {
    bin = dirname(installPackages('ansible', ANSIBLE))
    folder = await mkdtemp(join(tmpdir(), 'hushgate-ansible-'))
    await writeFile(at('AuthKey.p8'), 'a key')
    await writeFile(at('firebase.json'), '{}')
  }, INSTALL_MS)
  afterAll(() => rm(folder, { recursive: true }))

  it('has no mistake of syntax, with all of its tasks', () => {
    expect(play('--syntax-check')).toContain('playbook:')
    expect(play('--list-tasks').match(/hushgate : /g)).toHaveLength(10)
  })

  it('writes a configuration that is valid, credentials for root alone, and a unit that is given them', async () => {
    expect(write()).toMatch(/changed=5 .*failed=0/)
    const config: unknown = parse(await readFile(at('root/etc/hushgate/hushgate.yaml'), 'utf8'))
    expect(Value.Errors(configSchema(providers), config)).toEqual([])
    expect(config).toMatchObject({
      store: { url: 'sqlite:/var/lib/hushgate/hushgate.db' },
      apps: { 'com.example.app.ios': { key_file: '${CREDENTIALS_DIRECTORY}/apns.p8' } },
    })
    const key = at('root/etc/hushgate/credentials/apns.p8')
    expect([await readFile(key, 'utf8'), (await stat(key)).mode & 0o777]).toEqual(['a key', 0o600])
    expect((await stat(dirname(key))).mode & 0o777).toBe(0o700)
    const unit = 'root/etc/systemd/system/hushgate.service'
    expect(await readFile(at(unit), 'utf8')).toBe(await readFile(join(EXAMPLES, 'systemd/hushgate.service'), 'utf8'))
    const given = (await readFile(at(`${unit}.d/credentials.conf`), 'utf8')).match(/^LoadCredential=.*$/gm)
    expect(given).toEqual([
      'LoadCredential=',
      'LoadCredential=apns.p8:/etc/hushgate/credentials/apns.p8',
      'LoadCredential=firebase.json:/etc/hushgate/credentials/firebase.json',
    ])
  })

  it('changes nothing when it runs again', () => {
    write()
    expect(write()).toMatch(/changed=0 .*failed=0/)
  })
})

describe('the NixOS module', () => {
  const path = join(EXAMPLES, 'nixos/hushgate.nix')
  const source = readFileSync(path, 'utf8')
  /** As it stands in the module's comment. */
  const [, example = ''] = /^# {3}(services\.hushgate = \{\n[^]*?^# {3}\};)$/m.exec(source) ?? []
  const withExample = (more = ''): string => `{ ${example.replaceAll(/^#/gm, '')} ${more} }`

  /** What it adds to a machine on which this is set. */
  function evaluate(user: string): {
    readonly container: JsonObject | undefined
    readonly stderr: string
    readonly all: unknown
  } {
    const args = [
      '--eval',
      '--strict',
      '--json',
      '--store',
      'dummy://',
      NIXOS,
      '--arg',
      'module',
      path,
      '--arg',
      'user',
      user,
    ]
    const { stdout, stderr, status, error } = spawnSync('nix-instantiate', args, {
      encoding: 'utf8',
      env: { ...process.env, HOME: tmpdir() },
    })
    if (error !== undefined)
      throw new Error('This needs Nix: install it with "apt-get install nix-bin" as root', { cause: error })
    // A mistake may show in the middle of what it prints.
    const all: unknown = status === 0 ? JSON.parse(stdout) : undefined
    return { container: pick(all, 'virtualisation', 'oci-containers', 'containers', 'hushgate'), stderr, all }
  }

  it('gives its container a configuration that is valid, and what the example in it says', () => {
    const { container, stderr, all } = evaluate(withExample())
    expect(stderr).toBe('')
    const volumes = volumesOf(container)
    const [, text = ''] = /^(.*):\/etc\/hushgate\/hushgate\.yaml:ro$/.exec(volumes[0] ?? '') ?? []
    const config: unknown = JSON.parse(text)
    expect(Value.Errors(configSchema(providers), config)).toEqual([])
    expect(config).toMatchObject({
      store: { url: 'sqlite:/data/hushgate.db' },
      apps: { 'com.example.app.ios': { key_file: 'credentials/apns.p8', key_id: 'ABC123DEFG' } },
    })
    expect(volumes.slice(1)).toEqual([
      '/var/lib/hushgate:/data',
      '/run/secrets/apns.p8:/etc/hushgate/credentials/apns.p8:ro',
    ])
    expect(container).toMatchObject({ ports: ['127.0.0.1:5000:5000'] })
    expect(all).toMatchObject({ systemd: { tmpfiles: { rules: ['d /var/lib/hushgate 0700 65532 65532 -'] } } })
  })

  it('takes another port, folder, image and store', () => {
    const more = `services.hushgate.port = 5005; services.hushgate.dataDir = "/srv/push"; services.hushgate.image = "example/hushgate@sha256:1";
      services.hushgate.settings.store.url = "redis://redis.example.org";`
    const { container } = evaluate(`{ services.hushgate.enable = true; ${more} }`)
    expect(container).toMatchObject({ ports: ['127.0.0.1:5005:5000'], image: 'example/hushgate@sha256:1' })
    const volumes = volumesOf(container)
    expect(volumes[0]).toContain('{"store":{"url":"redis://redis.example.org"}}')
    expect(volumes.slice(1)).toEqual(['/srv/push:/data'])
  })

  it('adds nothing where it is not enabled', () => {
    expect(evaluate('{ services.hushgate = { }; }').all).toEqual({})
  })

  it.each([
    ['services.hushgate.prot = 5000;', 'there is no option services.hushgate.prot'],
    ['services.hushgate.port = 500000;', 'services.hushgate.port is no port'],
    ['services.hushgate.dataDir = "data";', 'services.hushgate.dataDir is no absolute path'],
    ['services.hushgate.credentials.key = 1;', 'services.hushgate.credentials is no set of absolute paths'],
  ])('refuses %s', (mistake, sentence) => {
    expect(evaluate(`{ services.hushgate.enable = true; ${mistake} }`).stderr).toContain(sentence)
  })

  it('runs this version, restricted as the compose file does', async () => {
    const { container } = evaluate(withExample())
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8'))
    expect(container).toMatchObject({
      image: `ghcr.io/hushgate/hushgate:${version}`,
      extraOptions: expect.arrayContaining(['--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges']),
    })
    const role = await readFile(join(EXAMPLES, 'ansible/roles/hushgate/defaults/main.yml'), 'utf8')
    expect(role).toContain(`hushgate_version: ${version}\n`)
  })
})

function volumesOf(container: JsonObject | undefined): readonly string[] {
  const volumes = container?.['volumes']
  return Array.isArray(volumes) ? volumes.map(String) : []
}

function pick(value: unknown, ...path: readonly string[]): JsonObject | undefined {
  const found = path.reduce<unknown>((at, name) => (isJsonObject(at) ? at[name] : undefined), value)
  return isJsonObject(found) ? found : undefined
}
