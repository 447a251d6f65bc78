/** What documents give people to paste and no test pastes: the document, words of the piece, and the honest reason. What is run has no place here, nor what is gone. */
const API_SERVER =
  'needs a Kubernetes API server, which takes half an hour to build; where ACCEPTANCE=1 has built it, test/helm/cluster.test.ts installs the chart there, without these lines'
const KUBELET = 'needs a node that runs containers and a kubelet; those of test/helm/cluster.test.ts are pretended'

export const NOT_PASTED: readonly (readonly [document: string, words: string, reason: string])[] = [
  [
    'docs/deploying.md',
    'gh attestation verify',
    'asks GitHub about a release that it has signed, with an account there',
  ],
  ['docs/deploying.md', 'helm install hushgate oci://', API_SERVER],
  ['docs/runbook.md', 'kubectl get pods', API_SERVER],
  ['docs/runbook.md', 'kubectl describe pod', API_SERVER],
  ['helm/README.md', 'helm install hushgate ./helm', API_SERVER],
  ['helm/README.md', 'kubectl rollout restart', API_SERVER],
  ['helm/README.md', 'kubectl logs job/hushgate-check', KUBELET],
  ['helm/README.md', 'kubectl port-forward', KUBELET],
  ['helm/README.md', 'kubectl exec statefulset/hushgate', KUBELET],
  [
    'docs/unifiedpush.md',
    'visitor-request-limit-exempt-hosts',
    'is a setting of ntfy, which cannot be had here; npm run test:ntfy starts a real one that somebody has built',
  ],
  ['CONTRIBUTING.md', 'npm run test:ntfy', 'needs an ntfy, which is not installed for anybody'],
]
