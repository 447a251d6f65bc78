/**
 * The lines of docs/deploying.md that say whether a release is ours, pasted, with the real gh. Whom it trusts and what it reaches are the test's own: nobody but GitHub can sign as
 * GitHub, so no attestation of a real release is verified here.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { gh } from '../../scripts/image-tools.ts'
import { startLoggedProcess, type Ended } from '../helpers/logged-process.ts'
import { createAttestationAuthority, type AttestationAuthority, type Signer } from './attestations.ts'
import { startGitHub, type GitHub } from './github.ts'

const REPOSITORY = 'hushgate/hushgate'
const VERSION = '0.1.0'
const RELEASE: Signer = {
  repository: REPOSITORY,
  workflow: '.github/workflows/release.yml',
  ref: `refs/tags/v${VERSION}`,
}
const BLOCK = codeOf('docs/deploying.md', 'gh attestation verify')

let folder: string
let github: GitHub
let authority: AttestationAuthority
/** Of what the lines are about, in their order. */
let digests: readonly string[]
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hushgate-attestation-'))
  github = await startGitHub(folder)
  authority = createAttestationAuthority(folder)
  mkdirSync(join(folder, 'bin'))
  const trusted = `exec '${gh.program}' "$@" --custom-trusted-root '${authority.trustedRootFile}'`
  writeFileSync(join(folder, 'bin/gh'), `#!/bin/sh\n${trusted}\n`, { mode: 0o755 })
  const file = 'the package of a release'
  writeFileSync(join(folder, `hushgate-${VERSION}.tgz`), file)
  digests = [
    github.publish(REPOSITORY, VERSION, { schemaVersion: 2, manifests: [] }),
    github.publish('hushgate/charts/hushgate', VERSION, { schemaVersion: 2, layers: [] }),
    `sha256:${createHash('sha256').update(file).digest('hex')}`,
  ]
})
afterAll(async () => {
  await github[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

/** As somebody who is signed in. It stops at the first line that fails. */
function paste(code: string): Promise<Ended> {
  const env = {
    PATH: `${folder}/bin:${process.env['PATH']}`,
    HOME: folder,
    GH_TOKEN: 'made-up',
    HTTPS_PROXY: github.proxy,
    SSL_CERT_FILE: github.caFile,
  }
  return startLoggedProcess('/bin/sh', ['-euc', code], folder, env).ended
}

function attestAll(signer: Signer): void {
  for (const digest of digests) github.attestations.set(`${REPOSITORY} ${digest}`, [authority.attest(digest, signer)])
}

describe('is it really ours?', () => {
  it('yes, where the workflow of this repository attested image, chart and file at the tag: each is asked for by its digest', async () => {
    expect(existsSync(join(import.meta.dirname, '../..', RELEASE.workflow))).toBe(true)
    attestAll(RELEASE)
    expect(await paste(BLOCK)).toMatchObject({ code: 0, stderr: '' })
    expect(github.asked().map((path) => path.split('?')[0])).toEqual(
      digests.map((digest) => `/repos/${REPOSITORY}/attestations/${digest}`),
    )
  })

  it.each<readonly [string, Signer, string]>([
    ['another tag', { ...RELEASE, ref: 'refs/tags/v0.0.9' }, 'SourceRepositoryRef to be refs/tags/v0.1.0'],
    ['a branch', { ...RELEASE, ref: 'refs/heads/main' }, 'SourceRepositoryRef to be refs/tags/v0.1.0'],
    ['another workflow', { ...RELEASE, workflow: '.github/workflows/ci.yml' }, 'verifying with issuer'],
    ['another repository', { ...RELEASE, repository: 'stranger/hushgate' }, 'verifying with issuer'],
  ])('no, where it was attested from %s', async (_, signer, words) => {
    attestAll(signer)
    expect(await paste(BLOCK)).toMatchObject({ code: 1, stderr: expect.stringContaining(words) })
  })

  it('no, where what is there is not what was attested', async () => {
    const [digest = '', other = ''] = digests
    github.attestations.set(`${REPOSITORY} ${digest}`, [authority.attest(other, RELEASE)])
    expect(await paste(BLOCK)).toMatchObject({ code: 1, stderr: expect.stringContaining('verifying with issuer') })
  })

  it('no, where nothing was attested', async () => {
    github.attestations.clear()
    expect(await paste(BLOCK)).toMatchObject({ code: 1, stderr: expect.stringContaining('HTTP 404: Not Found') })
  })

  it('and gh asks nobody else, and takes no option that it does not know', async () => {
    expect(github.others()).toEqual([])
    const mistaken = BLOCK.replace('--source-ref', '--source-reference')
    expect(await paste(mistaken)).toMatchObject({ code: 1, stderr: expect.stringContaining('unknown flag') })
  })
})
