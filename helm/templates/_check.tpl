{{/* What values.schema.json cannot say: settings that do not go together. Each with what to do about it. */}}
{{- define "hushgate.check" -}}
{{- $store := .Values.store -}}
{{- $isSplit := eq .Values.mode "split" -}}
{{- if not .Values.apps -}}
{{- fail "\n\napps: name at least one app, as in\n  apps:\n    com.example.app.ios: { type: apns, key_file: { secret: apns, key: AuthKey.p8 }, key_id: …, team_id: …, topic: com.example.app }\n" -}}
{{- end -}}
{{- if eq $store.kind "sqlite" -}}
  {{- if $isSplit -}}
  {{- fail "\n\nmode: split needs Redis, through which the roles meet: set store.kind to redis or bundledRedis\n" -}}
  {{- end -}}
  {{- if include "hushgate.isAutoscaled" (dict "root" . "role" "all") -}}
  {{- fail "\n\nroles.all: with SQLite there is one pod; an autoscaler needs store.kind: redis or bundledRedis\n" -}}
  {{- end -}}
  {{- if gt (int .Values.roles.all.replicas) 1 -}}
  {{- fail "\n\nroles.all.replicas: with SQLite there is one pod; more need store.kind: redis or bundledRedis\n" -}}
  {{- end -}}
{{- else if not .Values.keys.encryption -}}
  {{- fail "\n\nkeys.encryption: with Redis, the keys that seal what is stored come from you. Make them once, and keep them:\n  kubectl create secret generic hushgate-keys --from-literal=encryption-key=\"$(hushgate keygen store)\"\nand set keys.encryption to { secret: hushgate-keys, key: encryption-key }\n" -}}
{{- end -}}
{{- if eq $store.kind "redis" -}}
  {{- $ways := list $store.redis.host $store.redis.sentinel.hosts $store.redis.cluster | compact -}}
  {{- if ne (len $ways) 1 -}}
  {{- fail "\n\nstore.redis: say where it is by exactly one of host, sentinel.hosts and cluster\n" -}}
  {{- end -}}
  {{- if and $store.redis.sentinel.hosts (not $store.redis.sentinel.masterName) -}}
  {{- fail "\n\nstore.redis.sentinel.masterName: the name under which the sentinels know the master\n" -}}
  {{- end -}}
  {{- if and $store.redis.ca (not $store.redis.tls) -}}
  {{- fail "\n\nstore.redis.ca is for TLS: set store.redis.tls to true\n" -}}
  {{- end -}}
{{- end -}}
{{- if and .Values.proxy.url .Values.proxy.file -}}
{{- fail "\n\nproxy: say either url or, where it holds a password, file; not both\n" -}}
{{- end -}}
{{- if and (or .Values.tracing.headers .Values.tracing.ca .Values.tracing.to) (not .Values.tracing.endpoint) -}}
{{- fail "\n\ntracing.endpoint: say where the collector is, such as http://collector.monitoring:4318\n" -}}
{{- end -}}
{{- range $role := splitList " " (include "hushgate.roles" .) -}}
  {{- $settings := index $.Values.roles $role -}}
  {{- if and $settings.hpa.enabled $settings.keda.enabled -}}
  {{- fail (printf "\n\nroles.%s: two autoscalers would fight; enable hpa or keda, not both\n" $role) -}}
  {{- end -}}
  {{- if and (eq $role "http") $settings.keda.enabled -}}
  {{- fail "\n\nroles.http.keda scales by the age of the oldest push, which pods that only listen cannot change; use roles.http.hpa\n" -}}
  {{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "\n\ningress.hosts: name the host under which homeservers reach the gateway, such as [push.example.com]\n" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not (and .Values.httpRoute.parentRefs .Values.httpRoute.hostnames)) -}}
{{- fail "\n\nhttpRoute: name the Gateway in parentRefs and the host in hostnames\n" -}}
{{- end -}}
{{- if and .Values.monitoring.podMonitor.enabled .Values.monitoring.serviceMonitor.enabled -}}
{{- fail "\n\nmonitoring: podMonitor and serviceMonitor would scrape every pod twice; enable one\n" -}}
{{- end -}}
{{- if le (int .Values.terminationGracePeriodSeconds) (int .Values.preStopSleepSeconds) -}}
{{- fail "\n\nterminationGracePeriodSeconds must be longer than preStopSleepSeconds, or nothing is left to finish what is on its way\n" -}}
{{- end -}}
{{- end -}}
