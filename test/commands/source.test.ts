/** Which configuration a command means. */
import { describe, expect, it } from 'vitest'
import { sourceOf } from '../../src/commands/source.ts'

describe('the configuration of a command', () => {
  it('is the one that is named', () => {
    expect(sourceOf({ config: '/srv/push.yaml' }, {}).configPath).toBe('/srv/push.yaml')
  })

  it('reads credentials from the folder that systemd names, and outside of systemd from the one beside it', () => {
    const options = { config: '/etc/hushgate/hushgate.yaml' }
    expect(sourceOf(options, { CREDENTIALS_DIRECTORY: '/run/credentials/hushgate.service' }).env).toEqual({
      CREDENTIALS_DIRECTORY: '/run/credentials/hushgate.service',
    })
    expect(sourceOf(options, {}).env).toEqual({ CREDENTIALS_DIRECTORY: '/etc/hushgate/credentials' })
  })
})
