/** A Debian in a folder, started as a machine is: its systemd is the first process, in namespaces of its own. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const DEADLINE_MS = 60_000
const POLL_MS = 100

/** systemd takes a whole tree of control groups, so it is given one below ours. */
const IN_GROUP = `set -e
root=$1 group=$2 boot=$3 options=$4
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$group"
echo 0 > "/sys/fs/cgroup/$group/cgroup.procs"
exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc $options sh -c "$boot" sh "$root"`

/** What would reach this machine's own kernel, /sys and /proc/sys, can only be read. */
const BOOT = `set -e
cd "$1"
mount --rbind . .
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs dev
for name in null zero full random urandom tty; do touch "dev/$name"; mount --bind "/dev/$name" "dev/$name"; done
ln -s /proc/self/fd dev/fd
mkdir dev/pts && mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts && ln -s pts/ptmx dev/ptmx
for folder in run tmp dev/shm; do mkdir -p "$folder"; mount -t tmpfs tmpfs "$folder"; done
pivot_root . mnt
exec chroot . env -i container=other sh -c 'umount -l /mnt; mount --make-rshared /; exec /lib/systemd/systemd'`

/** Its last processes may still be about to go. */
const GONE = `mount -t cgroup2 cgroup2 /sys/fs/cgroup
for _ in $(seq 50); do
  find "/sys/fs/cgroup/$1" -depth -type d -exec rmdir {} + && exit
  sleep 0.1
done`

export interface BootedDebian extends AsyncDisposable {
  /** The program and its arguments that run this command in there. */
  inside(...command: readonly string[]): [program: string, args: string[]]
}

/** Undefined where this machine can do it. */
export function reasonAgainstBooting(): string | undefined {
  const isPossible = spawnSync('unshare', ['--mount', 'mount', '-t', 'cgroup2', 'cgroup2', '/sys/fs/cgroup'])
  return isPossible.status === 0 ? undefined : 'it may not mount control groups (cgroup2)'
}

/** `ownNetwork`: nothing but a loopback of its own; otherwise it shares the network of this machine. Rejects when it is not up within a minute. */
export async function bootDebian(root: string, { ownNetwork = false } = {}): Promise<BootedDebian> {
  const group = `hushgate-debian-${process.pid}`
  const options = ownNetwork ? '--net' : ''
  // It does not outlive this process, however that ends.
  const deadly = ['--pdeathsig', 'KILL', 'unshare', '--mount', 'sh', '-c']
  const machine = spawn('setpriv', [...deadly, IN_GROUP, 'sh', root, group, BOOT, options], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(machine, 'close')
  const first = (): string => readFileSync(`/proc/${machine.pid}/task/${machine.pid}/children`, 'utf8').trim()
  const inside = (...command: readonly string[]): [string, string[]] => {
    const namespaces = ['--mount', '--pid', '--cgroup', '--uts', '--ipc', ...(ownNetwork ? ['--net'] : [])]
    return ['nsenter', [`--target=${first()}`, ...namespaces, '--root', '--wd', '--', ...command]]
  }
  const debian: BootedDebian = {
    inside,
    async [Symbol.asyncDispose]() {
      machine.kill('SIGKILL')
      await ended
      spawnSync('unshare', ['--mount', 'sh', '-c', GONE, 'sh', group], { stdio: 'ignore' })
    },
  }
  try {
    for (const deadlineMs = Date.now() + DEADLINE_MS; ; await delay(POLL_MS)) {
      if (machine.exitCode !== null) throw new Error('The Debian did not boot')
      // Degraded: a unit that has nothing to do in there failed.
      if (first() !== '' && isRunning(inside('systemctl', 'is-system-running'))) return debian
      if (Date.now() > deadlineMs) throw new Error('The Debian is not up after a minute')
    }
  } catch (error) {
    await debian[Symbol.asyncDispose]()
    throw error
  }
}

function isRunning([program, args]: readonly [string, string[]]): boolean {
  const { stdout } = spawnSync(program, args, { encoding: 'utf8' })
  return /^(?:running|degraded)$/m.test(stdout ?? '')
}
