/** What a process connects to or sends to, seen by strace from the outside: every thread of it, whatever library does it. */
import { readFile } from 'node:fs/promises'

/**
 * What a command is run under. The tracer stands aside (-D), so that signals reach the process; -yy names the protocol of a socket. Through a ring
 * (io_uring) it could connect without a call that is seen: the kernel is made to have none, and libuv, which puts nothing but epoll into its own,
 * does without.
 */
export function tracer(file: string): readonly string[] {
  const calls = [
    'trace=connect,sendto,sendmsg,sendmmsg,io_uring_setup',
    'inject=io_uring_setup:error=ENOSYS',
    'signal=none',
  ]
  return ['strace', '-D', '-f', '-yy', '-qq', '--seccomp-bpf', ...calls.flatMap((call) => ['-e', call]), '-o', file]
}

/** Each address that was connected or sent to, e.g. `tcp 192.0.2.1:443`, once and in order of the alphabet. */
export async function connectionsIn(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).split('\n')
  return [...new Set(lines.flatMap(connectionsOf))].toSorted()
}

function connectionsOf(line: string): string[] {
  if (/io_uring_setup.* = \d/.test(line)) return ['io_uring']
  const [, args = ''] = /^\d+ +\w+\((.*)$/.exec(line) ?? []
  const [, protocol = 'socket'] = /^\d+<([\w-]+):/.exec(args) ?? []
  return [...args.matchAll(/\{sa_family=(AF_\w+)([^}]*)\}/g)].map(
    ([, family = '', rest = '']) => `${protocol.toLowerCase()} ${addressOf(family, rest)}`,
  )
}

function addressOf(family: string, rest: string): string {
  const port = /port=htons\((\d+)\)/.exec(rest)?.[1]
  const address = /"([^"]*)"/.exec(rest)?.[1] ?? ''
  if (family === 'AF_UNIX') return address
  if (family === 'AF_INET') return `${address}:${port}`
  return family === 'AF_INET6' ? `[${address}]:${port}` : family
}
