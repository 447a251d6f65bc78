/** How bin/hushgate and the image start the program, for scripts that measure it without a shell in between. A test holds the three against each other. */
export const LAUNCH_OPTIONS = { nodeArguments: ['--max-semi-space-size=16'], environment: { MALLOC_ARENA_MAX: '1' } }
