/** What documents give people to paste and no test pastes: the document, words of the piece, and the honest reason. What is run has no place here, nor what is gone. */
const CLUSTER =
  'needs a Kubernetes API server; test/helm/cluster.test.ts has one where ACCEPTANCE=1 has built it, and installs the chart there'

export const NOT_PASTED: readonly (readonly [document: string, words: string, reason: string])[] = [
  ['docs/deploying.md', 'gh attestation verify', 'asks GitHub about a release, with an account'],
  ['docs/deploying.md', 'helm install hushgate oci://', CLUSTER],
  ['docs/runbook.md', 'kubectl get pods', CLUSTER],
  ['docs/runbook.md', 'kubectl describe pod', CLUSTER],
  ['helm/README.md', 'helm install hushgate ./helm', CLUSTER],
  ['helm/README.md', 'kubectl rollout restart', CLUSTER],
  ['helm/README.md', 'kubectl logs job/hushgate-check', CLUSTER],
  ['helm/README.md', 'kubectl create secret generic hushgate-keys', CLUSTER],
  ['helm/README.md', 'kubectl port-forward', CLUSTER],
  ['helm/README.md', 'kubectl exec statefulset/hushgate', CLUSTER],
  [
    'docs/unifiedpush.md',
    'visitor-request-limit-exempt-hosts',
    'is a setting of ntfy, which cannot be had here; npm run test:ntfy starts a real one that somebody has built',
  ],
  ['CONTRIBUTING.md', 'npm run test:ntfy', 'needs an ntfy, which is not installed for anybody'],
]
