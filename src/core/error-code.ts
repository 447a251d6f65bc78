/** `ENOENT` and the like; `unknown` when the error has none. Unlike its message, it names no file, address or person. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
}
