{{/* Names, labels and images. */}}

{{- define "hushgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "hushgate.fullname" -}}
{{- $name := include "hushgate.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* What every object wears. Not for pod templates: the chart's version in them would roll all pods with each release of the chart. */}}
{{- define "hushgate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "hushgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* All pods of the gateway, whatever their role, and nothing else of the release. */}}
{{- define "hushgate.selector" -}}
app.kubernetes.io/name: {{ include "hushgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Of everything that the bundled Redis consists of, its password too. */}}
{{- define "hushgate.redisName" -}}
{{- printf "%s-redis" (include "hushgate.fullname" .) -}}
{{- end -}}

{{- define "hushgate.redisSelector" -}}
app.kubernetes.io/name: {{ include "hushgate.name" . }}-redis
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hushgate.testSelector" -}}
app.kubernetes.io/name: {{ include "hushgate.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hushgate.checkSelector" -}}
app.kubernetes.io/name: {{ include "hushgate.name" . }}-check
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hushgate.redisLabels" -}}
{{- $labels := include "hushgate.labels" . | fromYaml -}}
{{- toYaml (mustMergeOverwrite $labels (include "hushgate.redisSelector" . | fromYaml)) -}}
{{- end -}}

{{- define "hushgate.serviceAccountName" -}}
{{- default (ternary (include "hushgate.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{/* image and imagePullPolicy of a container. Given: image, defaultTag. */}}
{{- define "hushgate.image" -}}
{{- $repository := list .image.registry .image.repository | compact | join "/" -}}
{{- if .image.digest -}}
image: {{ printf "%s@%s" $repository .image.digest }}
{{- else -}}
image: {{ printf "%s:%s" $repository (default .defaultTag .image.tag) }}
{{- end }}
imagePullPolicy: {{ default (ternary "IfNotPresent" "Always" (ne .image.digest "")) .image.pullPolicy }}
{{- end -}}
