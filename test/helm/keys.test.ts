/** The line of the chart's README that makes the keys, pasted with the real kubectl, which shows what it would create: the gateway takes them. */
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { kubectlFolder } from '../../scripts/helm-tools.ts'
import { runHushgate } from '../helpers/hushgate-process.ts'
import { pick, pickText } from './helpers/chart.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

it('has two keys, which the gateway takes for its store and its admin port', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-keys-'))
  try {
    await writeFile(join(folder, 'hushgate'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`)
    await chmod(join(folder, 'hushgate'), 0o755)
    // What it would create is said without asking a cluster; a kubeconfig of this machine is nobody's business.
    const env = {
      PATH: `${folder}:${process.env['PATH']}:${kubectlFolder}/usr/bin`,
      HOME: folder,
      KUBECONFIG: join(folder, 'none'),
    }
    const line = codeOf('helm/README.md', 'kubectl create secret generic hushgate-keys')
    const { stdout } = await promisify(execFile)('sh', ['-euc', `${line} --dry-run=client --output json`], { env })
    const secret = JSON.parse(stdout)
    expect(secret).toMatchObject({ kind: 'Secret', metadata: { name: 'hushgate-keys' } })
    expect(Object.keys(Object(pick(secret, 'data'))).toSorted()).toEqual(['admin-token', 'encryption-key'])
    for (const name of ['admin-token', 'encryption-key'])
      await writeFile(join(folder, name), Buffer.from(pickText(secret, 'data', name), 'base64'), { mode: 0o600 })
    await writeFile(
      join(folder, 'hushgate.yaml'),
      `apps: { com.example.web: { type: webpush, vapid_private_key_file: vapid, vapid_subject: "mailto:push@example.com" } }
store: { url: "redis://127.0.0.1:6379" }
queue: { encryption_key_file: encryption-key }
admin: { token_file: admin-token }
`,
    )
    await writeFile(join(folder, 'vapid'), (await runHushgate(['keygen', 'vapid'], { folder })).stdout)
    expect(await runHushgate(['check'], { folder })).toMatchObject({ code: 0, stderr: '' })
    for (const [name, setting] of [
      ['admin-token', 'admin.token_file'],
      ['encryption-key', 'queue.encryption_key_file'],
    ] as const) {
      await writeFile(join(folder, name), 'no key')
      const { code, stderr } = await runHushgate(['check'], { folder })
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(setting) })
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})
