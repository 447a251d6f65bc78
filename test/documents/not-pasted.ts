/** What documents give people to paste and no test pastes: the document, words of the piece, and the honest reason. What is run has no place here, nor what is gone. */
const CLUSTER =
  'needs a Kubernetes API server; test/helm/cluster.test.ts has one where ACCEPTANCE=1 has built it, and installs the chart there'

export const NOT_PASTED: readonly (readonly [document: string, words: string, reason: string])[] = [
  ['docs/deploying.md', 'gh attestation verify', 'asks GitHub about a release, with an account'],
  ['docs/deploying.md', 'ssh -L 5001', 'needs a second machine'],
  [
    'docs/deploying.md',
    'podman build',
    'test/image/build.ts builds the same Dockerfile with buildah, on bases that can be had here',
  ],
  ['docs/deploying.md', 'docker build', 'the same; Docker needs a daemon'],
  ['docs/deploying.md', 'apt-get install npm', 'the Debian of npm run test:debian is made with npm'],
  ['docs/deploying.md', 'helm install hushgate oci://', CLUSTER],
  ['docs/deploying.md', 'helm template hushgate helm', 'was done once by hand, as the page says'],
  ['docs/deploying.md', 'podman kube play', 'was done once by hand, as the page says'],
  ['docs/deploying.md', 'podman stop', 'was done once by hand, as the page says'],
  ['docs/deploying.md', 'podman kill', 'was done once by hand, as the page says'],
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
