/** What documents give people to paste and no test pastes: the document, words of the piece, and the honest reason. What is run has no place here, nor what is gone. */
export const NOT_PASTED: readonly (readonly [document: string, words: string, reason: string])[] = [
  [
    'docs/unifiedpush.md',
    'visitor-request-limit-exempt-hosts',
    'is a setting of ntfy, which cannot be had here; npm run test:ntfy starts a real one that somebody has built',
  ],
  ['CONTRIBUTING.md', 'npm run test:ntfy', 'needs an ntfy, which is not installed for anybody'],
]
