/** Options that sections of several push services have, as pieces of their schemas. */
import Type, { type TInteger, type TOptional, type TString } from 'typebox'

export function filePath(description: string): TOptional<TString> {
  return Type.Optional(Type.String({ minLength: 1, description }))
}

/** Host and port; a path would not be used. */
export function httpsAddress(description: string): TOptional<TString> {
  return Type.Optional(Type.String({ pattern: '^https://[^/?#@]+/?$', description }))
}

export function maxConnections(fallback: number, description: string): TOptional<TInteger> {
  return Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: fallback, description }))
}

/** `whom`: whose certificates these authorities have signed. */
export function caFile(whom: string): TOptional<TString> {
  return filePath(`PEM file of the certificate authorities to trust for ${whom}, instead of the public ones.`)
}
