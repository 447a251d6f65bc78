/** A stream that keeps what is written to it. */
import { Writable } from 'node:stream'

export interface TextSink extends Writable {
  text(): string
}

export function textSink(): TextSink {
  const chunks: string[] = []
  const write = (chunk: unknown, _encoding: string, done: () => void): void => {
    chunks.push(String(chunk))
    done()
  }
  return Object.assign(new Writable({ write, decodeStrings: false }), { text: () => chunks.join('') })
}
