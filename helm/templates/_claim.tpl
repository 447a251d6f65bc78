{{/* A claim of a StatefulSet. It can never be changed, so nothing in it may change by itself. Given: root, volume, selector. */}}
{{- define "hushgate.claim" -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
  labels:
    {{- include .selector .root | nindent 4 }}
spec:
  accessModes:
    {{- toYaml .volume.accessModes | nindent 4 }}
  {{- with .volume.storageClassName }}
  storageClassName: {{ . }}
  {{- end }}
  resources: { requests: { storage: {{ .volume.size }} } }
{{- end -}}
