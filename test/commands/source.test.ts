/** Which configuration a command means. */
import { describe, expect, it } from 'vitest'
import { isConfigured, sourceOf } from '../../src/commands/source.ts'

describe('the configuration of a command', () => {
  it('is the one that is named', () => {
    expect(sourceOf({ config: '/srv/push.yaml' }, {}).configPath).toBe('/srv/push.yaml')
  })

  const [ALICE, BOB, ROOT] = [1000, 1001, 0]
  const found = (user: number, owners: Record<string, number>) =>
    sourceOf({}, {}, user, (path) => owners[path]).configPath

  it('is the one in this folder, else the one of the machine', () => {
    expect(found(ALICE, {})).toBe('hushgate.yaml')
    expect(found(ALICE, { 'hushgate.yaml': ALICE, '/etc/hushgate/hushgate.yaml': ROOT })).toBe('hushgate.yaml')
    expect(found(ALICE, { '/etc/hushgate/hushgate.yaml': ROOT })).toBe('/etc/hushgate/hushgate.yaml')
  })

  it('is, for root, not one that another user has put into this folder, unless it is named or root is that user by sudo', () => {
    expect(() => found(ROOT, { 'hushgate.yaml': BOB })).toThrow(/belongs to another user/)
    expect(found(ALICE, { 'hushgate.yaml': BOB })).toBe('hushgate.yaml')
    expect(sourceOf({}, { SUDO_UID: String(ALICE) }, ROOT, () => ALICE).configPath).toBe('hushgate.yaml')
    expect(sourceOf({ config: 'hushgate.yaml' }, {}, ROOT, () => BOB).configPath).toBe('hushgate.yaml')
  })

  it('is there where one is named, or lies in this folder or in that of the machine', () => {
    const [nowhere, here] = [() => undefined, (path: string) => (path === 'hushgate.yaml' ? ALICE : undefined)]
    expect(isConfigured({}, {}, nowhere)).toBe(false)
    expect(isConfigured({}, {}, here)).toBe(true)
    expect(isConfigured({}, {}, (path) => (path.startsWith('/etc') ? ROOT : undefined))).toBe(true)
    // Whether it is there at all is said when it is read.
    expect(isConfigured({ config: '/srv/push.yaml' }, {}, nowhere)).toBe(true)
    expect(isConfigured({}, { SYGNAL_CONF: '/config/sygnal.yaml' }, nowhere)).toBe(true)
  })

  it('is one of Sygnal where only Sygnal’s own variable names one', () => {
    const env = { SYGNAL_CONF: '/config/sygnal.yaml' }
    expect(sourceOf({}, env)).toMatchObject({ configPath: '/config/sygnal.yaml', readAs: expect.any(Function) })
    expect(sourceOf({}, { ...env, HUSHGATE_CONFIG: 'hushgate.yaml' })).not.toHaveProperty('readAs')
    expect(sourceOf({ config: 'hushgate.yaml' }, env)).not.toHaveProperty('readAs')
    expect(sourceOf({ sygnal: 's.yaml' }, { HUSHGATE_CONFIG: 'hushgate.yaml' }).configPath).toBe('s.yaml')
  })

  it('is not named twice', () => {
    expect(() => sourceOf({ config: 'hushgate.yaml', sygnal: 'sygnal.yaml' }, {})).toThrow(/do not go together/)
  })

  it('is, in our image, the mounted one, whatever lies in the folder', () => {
    const env = { HUSHGATE_IN_CONTAINER: '1' }
    expect(sourceOf({}, env, ROOT, () => ROOT).configPath).toBe('/etc/hushgate/hushgate.yaml')
  })

  it('reads credentials from the folder that systemd names, and outside of systemd from the one beside it', () => {
    const options = { config: '/etc/hushgate/hushgate.yaml' }
    expect(sourceOf(options, { CREDENTIALS_DIRECTORY: '/run/credentials/hushgate.service' }).env).toEqual({
      CREDENTIALS_DIRECTORY: '/run/credentials/hushgate.service',
    })
    expect(sourceOf(options, {}).env).toEqual({ CREDENTIALS_DIRECTORY: '/etc/hushgate/credentials' })
  })
})
