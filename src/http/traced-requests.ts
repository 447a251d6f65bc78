/** Requests that a trace begins with. */
import type { FastifyReply } from 'fastify'
import type { TraceContext } from '../core/trace.ts'
import type { Tracer } from '../tracing/tracer.ts'

export interface TracedRequestsParts {
  /** Asked for each request that is to be accepted; absent: none is traced. */
  readonly tracer?: Pick<Tracer, 'request'> | undefined
}

/** Undefined where this one is not traced. */
export function beginTrace(
  { tracer }: TracedRequestsParts,
  name: Parameters<Tracer['request']>[0],
  reply: FastifyReply,
): { readonly trace: TraceContext } | undefined {
  const trace = tracer?.request(name)
  if (trace === undefined) return undefined
  reply.raw.once('close', () => trace.answered(reply.statusCode, reply.elapsedTime))
  return { trace: trace.context }
}
