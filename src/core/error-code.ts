/** `ENOENT` and the like; `otherwise` when the error has none. Unlike its message, it names no file, address or person. */
export function codeOf(error: unknown, otherwise = 'unknown'): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : otherwise
}
