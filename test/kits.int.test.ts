/** The kits in config/examples: an Ansible role, which is run on this machine into a folder, and a NixOS module, which is parsed. Without npm, systemd and Nix. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { codeOf } from '../scripts/document-code.ts'
import { installPackages } from '../scripts/install-python.ts'
import { configSchema } from '../src/config/json-schema.ts'
import { providers } from '../src/providers/index.ts'

const EXAMPLES = join(import.meta.dirname, '../config/examples')
const PLAYBOOK = join(EXAMPLES, 'ansible/playbook.yml')
const ANSIBLE = ['ansible-core==2.18.1']
const GRAMMAR = ['tree-sitter==0.25.2', 'tree-sitter-nix==0.1.0']
const INSTALL_MS = 300_000

/** What is no Nix by the grammar, as lines; and what the names and texts of each kind are. */
const READ_NIX = `
import json, sys, tree_sitter_nix
from tree_sitter import Language, Parser
source = open(sys.argv[1], 'rb').read()
root = Parser(Language(tree_sitter_nix.language())).parse(source).root_node
wrong, names = [], []
def walk(node):
    if node.is_error or node.is_missing: wrong.append(node.start_point[0] + 1)
    if node.type == 'binding': names.append(node.child_by_field_name('attrpath').text.decode())
    for child in node.children: walk(child)
walk(root)
print(json.dumps({'wrong': wrong, 'names': names}))
`

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
  let read: { readonly wrong: readonly number[]; readonly names: readonly string[] }
  const path = join(EXAMPLES, 'nixos/hushgate.nix')
  const readNix = (python: string, of: string): typeof read =>
    JSON.parse(execFileSync(python, ['-c', READ_NIX, of], { encoding: 'utf8' }))
  let python: string
  beforeAll(() => {
    python = installPackages('nix', GRAMMAR)
    read = readNix(python, path)
  }, INSTALL_MS)

  it('is Nix, by its grammar', () => {
    expect(read.wrong).toEqual([])
    // It would say so.
    expect(readNix(python, join(EXAMPLES, 'systemd/hushgate.service')).wrong).not.toEqual([])
  })

  it('has the options that its example and the document name', async () => {
    const options = ['enable', 'image', 'port', 'dataDir', 'settings', 'credentials']
    expect(read.names).toEqual(expect.arrayContaining(options))
    const text = await readFile(path, 'utf8')
    const [, example = ''] = /services\.hushgate = \{\n([^]*?)\n# {3}\};/.exec(text) ?? []
    const used = [...example.matchAll(/^# {5}(\w+)/gm)].map(([, name]) => name)
    expect(used.length).toBeGreaterThan(2)
    expect(used.filter((name) => !options.includes(name ?? ''))).toEqual([])
  })

  it('has an example that is a valid configuration', async () => {
    const text = await readFile(path, 'utf8')
    const app = Object.fromEntries(
      [...text.matchAll(/^# {7}(\w+) = "(.*)";$/gm)].map(([, name, value]) => [name, value]),
    )
    const config = { store: { url: 'sqlite:/data/hushgate.db' }, apps: { 'com.example.app.ios': app } }
    expect(Value.Errors(configSchema(providers), config)).toEqual([])
    expect(app).toHaveProperty('key_id')
  })

  it('runs this version, restricted as the compose file does', async () => {
    const text = await readFile(path, 'utf8')
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8'))
    expect(text).toContain(`"ghcr.io/hushgate/hushgate:${version}"`)
    for (const option of ['--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges'])
      expect(text).toContain(`"${option}"`)
    const role = await readFile(join(EXAMPLES, 'ansible/roles/hushgate/defaults/main.yml'), 'utf8')
    expect(role).toContain(`hushgate_version: ${version}\n`)
  })
})
