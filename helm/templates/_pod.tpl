{{/* Roles and their pods. */}}

{{/* The roles of this mode, separated by spaces. */}}
{{- define "hushgate.roles" -}}
{{- ternary "http worker" "all" (eq .Values.mode "split") -}}
{{- end -}}

{{- define "hushgate.roleName" -}}
{{- $full := include "hushgate.fullname" .root -}}
{{- ternary $full (printf "%s-%s" $full .role) (eq .role "all") -}}
{{- end -}}

{{- define "hushgate.roleSelector" -}}
{{ include "hushgate.selector" .root }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "hushgate.roleLabels" -}}
{{ include "hushgate.labels" .root }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "hushgate.isAutoscaled" -}}
{{- $role := index .root.Values.roles .role -}}
{{- if or $role.hpa.enabled $role.keda.enabled -}}true{{- end -}}
{{- end -}}

{{/* The least number of pods that this role has in quiet times. */}}
{{- define "hushgate.leastReplicas" -}}
{{- $role := index .root.Values.roles .role -}}
{{- if $role.keda.enabled -}}
{{- int $role.keda.minReplicas -}}
{{- else if $role.hpa.enabled -}}
{{- int $role.hpa.minReplicas -}}
{{- else -}}
{{- int $role.replicas -}}
{{- end -}}
{{- end -}}

{{- define "hushgate.podTemplate" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $role := index $values.roles .role -}}
metadata:
  annotations:
    # A new configuration starts new pods. Secrets that you made are noticed while running.
    checksum/config: {{ printf "%s%s" (include "hushgate.yaml" $root) (include "hushgate.inlineSecrets" $root) | sha256sum }}
    {{- with mustMergeOverwrite (dict) $values.podAnnotations $role.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "hushgate.roleSelector" . | nindent 4 }}
    {{- with mustMergeOverwrite (dict) $values.commonLabels $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "hushgate.serviceAccountName" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  securityContext:
    {{- toYaml $values.podSecurityContext | nindent 4 }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $values.dnsPolicy }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- with $values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $role.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $role.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $role.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $role.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml $role.topologySpreadConstraints | nindent 4 }}
  {{- else if ne $values.store.kind "sqlite" }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      # Counts the pods of one rollout only: those that are about to go would skew it.
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "hushgate.roleSelector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with $values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: hushgate
      {{- include "hushgate.image" (dict "image" $values.image "defaultTag" $root.Chart.AppVersion) | nindent 6 }}
      args: [serve, --role, {{ .role }}]
      env:
        {{- include "hushgate.env" $root | nindent 8 }}
      {{- with $values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- if ne .role "worker" }}
        - { name: notify, containerPort: 5000 }
        {{- end }}
        - { name: admin, containerPort: 5001 }
      {{- range $probe, $path := dict "startup" "/healthz" "liveness" "/healthz" "readiness" "/readyz" }}
      {{ $probe }}Probe:
        httpGet: { path: {{ $path }}, port: admin }
        {{- toYaml (index $values.probes $probe) | nindent 8 }}
      {{- end }}
      {{- if and (ne .role "worker") (gt (int $values.preStopSleepSeconds) 0) }}
      lifecycle:
        preStop: { sleep: { seconds: {{ $values.preStopSleepSeconds }} } }
      {{- end }}
      resources:
        {{- toYaml $role.resources | nindent 8 }}
      securityContext:
        {{- toYaml $values.containerSecurityContext | nindent 8 }}
      volumeMounts:
        {{- include "hushgate.mounts" $root | nindent 8 }}
        {{- if eq $values.store.kind "sqlite" }}
        - { name: data, mountPath: /data }
        {{- end }}
    {{- with $values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "hushgate.volumes" $root | nindent 4 }}
    {{- if eq $values.store.kind "sqlite" }}
    {{- with $values.store.sqlite.existingClaim }}
    - name: data
      persistentVolumeClaim: { claimName: {{ . }} }
    {{- end }}
    {{- end }}
{{- end -}}

{{- define "hushgate.env" -}}
- { name: HUSHGATE_CONFIG, value: /etc/hushgate/hushgate.yaml }
{{- if .Values.extraCa }}
- { name: NODE_EXTRA_CA_CERTS, value: /etc/hushgate/extra-ca.pem }
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "hushgate.mounts" -}}
- { name: config, mountPath: /etc/hushgate, readOnly: true }
- { name: tmp, mountPath: /tmp }
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "hushgate.volumes" -}}
{{- include "hushgate.volumesOf" (dict "root" . "name" (include "hushgate.fullname" .)) -}}
{{- end -}}

{{/* Given: as to hushgate.sourcesOf. */}}
{{- define "hushgate.volumesOf" -}}
- name: config
  projected:
    # For the group, which is ours by fsGroup; nobody else.
    defaultMode: 0440
    sources:
      {{- include "hushgate.sourcesOf" . | nindent 6 }}
- name: tmp
  emptyDir: {}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "hushgate.isScaledByAge" -}}
{{- range splitList " " (include "hushgate.roles" .) -}}
{{- if (index $.Values.roles .).keda.enabled -}}true{{- end -}}
{{- end -}}
{{- end -}}
