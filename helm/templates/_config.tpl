{{/* hushgate.yaml and the files it names, from .Values. */}}

{{/*
Given: folder, section. Every setting that ends in _file and says where the file comes from becomes the file's path, relative to hushgate.yaml; also in
the entries of a list.
Returns JSON: options, and files as a list of path and from.
*/}}
{{- define "hushgate.section" -}}
{{- $options := dict -}}
{{- $files := list -}}
{{- range $key, $value := .section -}}
  {{- if and (hasSuffix "_file" $key) (kindIs "map" $value) -}}
    {{- $path := printf "%s/%s" $.folder $key -}}
    {{- $_ := set $options $key $path -}}
    {{- $files = append $files (dict "path" $path "from" $value) -}}
  {{- else if kindIs "slice" $value -}}
    {{- $entries := list -}}
    {{- range $index, $entry := $value -}}
      {{- if kindIs "map" $entry -}}
        {{- $part := include "hushgate.section" (dict "folder" (printf "%s/%s-%d" $.folder $key $index) "section" $entry) | fromJson -}}
        {{- $entries = append $entries $part.options -}}
        {{- $files = concat $files $part.files -}}
      {{- else -}}
        {{- $entries = append $entries $entry -}}
      {{- end -}}
    {{- end -}}
    {{- $_ := set $options $key $entries -}}
  {{- else if not (kindIs "invalid" $value) -}}
    {{- $_ := set $options $key $value -}}
  {{- end -}}
{{- end -}}
{{- dict "options" $options "files" $files | toJson -}}
{{- end -}}

{{/* An app's name as the name of a folder: it may be a glob, or hold a slash. */}}
{{- define "hushgate.folder" -}}
{{- if regexMatch "^[A-Za-z0-9][A-Za-z0-9._-]*$" . -}}
{{- . -}}
{{- else -}}
{{- printf "%s-%s" (regexReplaceAll "[^A-Za-z0-9-]+" . "-" | trimAll "-") (sha256sum . | trunc 8) | trimPrefix "-" -}}
{{- end -}}
{{- end -}}

{{/* The store section, but for what config.store says. Returns JSON like hushgate.section. */}}
{{- define "hushgate.store" -}}
{{- $store := dict -}}
{{- $kind := .Values.store.kind -}}
{{- if eq $kind "sqlite" -}}
  {{- $_ := set $store "url" "sqlite:/data/hushgate.db" -}}
{{- else if eq $kind "bundledRedis" -}}
  {{- $_ := set $store "url" (printf "redis://%s-redis:6379" (include "hushgate.fullname" .)) -}}
  {{- $_ := set $store "password_file" (default (dict "generated" (include "hushgate.redisName" .)) .Values.store.bundledRedis.password) -}}
{{- else -}}
  {{- $redis := .Values.store.redis -}}
  {{- $scheme := ternary "rediss" "redis" $redis.tls -}}
  {{- if $redis.cluster -}}
    {{- $nodes := list -}}
    {{- range $redis.cluster -}}{{- $nodes = append $nodes (printf "%s://%s" $scheme .) -}}{{- end -}}
    {{- $_ := set $store "cluster" $nodes -}}
  {{- else if $redis.sentinel.hosts -}}
    {{- $_ := set $store "url" (printf "%s+sentinel://%s/%s/%d" $scheme (join "," $redis.sentinel.hosts) $redis.sentinel.masterName (int $redis.database)) -}}
  {{- else -}}
    {{- $_ := set $store "url" (printf "%s://%s:%d/%d" $scheme $redis.host (int $redis.port) (int $redis.database)) -}}
  {{- end -}}
  {{- with $redis.username -}}{{- $_ := set $store "username" . -}}{{- end -}}
  {{- with $redis.password -}}{{- $_ := set $store "password_file" . -}}{{- end -}}
  {{- with $redis.ca -}}{{- $_ := set $store "ca_file" . -}}{{- end -}}
{{- end -}}
{{- include "hushgate.section" (dict "folder" "store" "section" $store) -}}
{{- end -}}

{{/* Everything that the gateway reads. Returns JSON: config (hushgate.yaml), and files as above. */}}
{{- define "hushgate.model" -}}
{{- $model := include "hushgate.section" (dict "folder" "config" "section" .Values.config) | fromJson -}}
{{- $config := $model.options -}}
{{- $files := $model.files -}}
{{- with .Values.proxy.url -}}{{- $_ := set $config "proxy" . -}}{{- end -}}
{{- with .Values.proxy.file -}}
  {{- $_ := set $config "proxy_file" "config/proxy_file" -}}
  {{- $files = append $files (dict "path" "config/proxy_file" "from" .) -}}
{{- end -}}
{{- with .Values.tracing -}}
  {{- if .endpoint -}}
    {{- $tracing := dict "otlp_url" .endpoint "sample_ratio" .sampleRatio -}}
    {{- with .headers -}}{{- $_ := set $tracing "headers_file" . -}}{{- end -}}
    {{- with .ca -}}{{- $_ := set $tracing "ca_file" . -}}{{- end -}}
    {{- $_ := set $config "tracing" $tracing -}}
  {{- end -}}
{{- end -}}
{{- range $name, $section := $config -}}
  {{- if kindIs "map" $section -}}
    {{- $part := include "hushgate.section" (dict "folder" $name "section" $section) | fromJson -}}
    {{- $_ := set $config $name $part.options -}}
    {{- $files = concat $files $part.files -}}
  {{- end -}}
{{- end -}}
{{- $apps := dict -}}
{{- range $name, $app := .Values.apps -}}
  {{- if $app -}}
    {{- $part := include "hushgate.section" (dict "folder" (printf "apps/%s" (include "hushgate.folder" $name)) "section" $app) | fromJson -}}
    {{- $_ := set $apps $name $part.options -}}
    {{- $files = concat $files $part.files -}}
  {{- end -}}
{{- end -}}
{{- $store := include "hushgate.store" . | fromJson -}}
{{- $files = concat $files $store.files -}}
{{- $adminService := printf "%s-admin.%s.svc" (include "hushgate.fullname" .) .Release.Namespace -}}
{{- $adminNames := concat (list $adminService (printf "%s.cluster.local" $adminService)) (dig "allowed_hosts" list (default dict $config.admin)) -}}
{{- $admin := dict "host" .Values.listenHost "port" 5001 "allowed_hosts" $adminNames -}}
{{- with .Values.keys.adminToken -}}
  {{- $_ := set $admin "token_file" "keys/admin-token" -}}
  {{- $files = append $files (dict "path" "keys/admin-token" "from" .) -}}
{{- end -}}
{{- $queue := dict -}}
{{- with .Values.keys.encryption -}}
  {{- $_ := set $queue "encryption_key_file" "keys/encryption" -}}
  {{- $files = append $files (dict "path" "keys/encryption" "from" .) -}}
{{- end -}}
{{- $ours := dict "http" (dict "host" .Values.listenHost "port" 5000) "admin" $admin "store" $store.options "queue" $queue "apps" $apps -}}
{{- with .Values.extraCa -}}{{- $files = append $files (dict "path" "extra-ca.pem" "from" .) -}}{{- end -}}
{{- dict "config" (mustMergeOverwrite $config $ours) "files" $files | toJson -}}
{{- end -}}

{{- define "hushgate.yaml" -}}
{{- (include "hushgate.model" . | fromJson).config | toYaml -}}
{{- end -}}

{{/* The Secret that the chart makes of { value: … }: JSON from the name of a key to its content. */}}
{{- define "hushgate.inlineSecrets" -}}
{{- $inline := dict -}}
{{- range (include "hushgate.model" . | fromJson).files -}}
  {{- if hasKey .from "value" -}}{{- $_ := set $inline (.path | replace "/" "..") .from.value -}}{{- end -}}
{{- end -}}
{{- $inline | toJson -}}
{{- end -}}

{{/* The sources of the projected volume: one for each file, so that all of them change at once. */}}
{{- define "hushgate.sources" -}}
{{- include "hushgate.sourcesOf" (dict "root" . "name" (include "hushgate.fullname" .)) -}}
{{- end -}}

{{/* Given: root; name, of the ConfigMap and the Secret that are the chart's own; isCheck, where what the chart generates may not be there yet. */}}
{{- define "hushgate.sourcesOf" -}}
{{- $name := .name -}}
- configMap:
    name: {{ $name }}
    items: [{ key: hushgate.yaml, path: hushgate.yaml }]
{{- range (include "hushgate.model" .root | fromJson).files }}
{{- if .from.configMap }}
- configMap:
    name: {{ .from.configMap }}
    items: [{ key: {{ .from.key | quote }}, path: {{ .path | quote }} }]
{{- else if and .from.generated (not $.isCheck) }}
- secret:
    name: {{ .from.generated }}
    items: [{ key: password, path: {{ .path | quote }} }]
{{- else }}
- secret:
    name: {{ default $name .from.secret }}
    items: [{ key: {{ default (.path | replace "/" "..") .from.key | quote }}, path: {{ .path | quote }} }]
{{- end }}
{{- end }}
{{- end -}}
