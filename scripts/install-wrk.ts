/** Installs wrk, the load generator of `npm run bench`, from Debian; does nothing when it is there. */
import { execFileSync, spawnSync } from 'node:child_process'

if (spawnSync('wrk', ['--version']).error !== undefined) {
  process.stderr.write('Installing wrk from Debian (once) …\n')
  try {
    execFileSync('apt-get', ['-q', 'update'], { stdio: 'pipe' })
    execFileSync('apt-get', ['-q', '-y', '--no-install-recommends', 'install', 'wrk'], { stdio: 'pipe' })
  } catch (cause) {
    throw new Error('The bench needs wrk: install it with "apt-get install wrk" as root', { cause })
  }
}
