{{- define "neuronward.metrics" -}}
app.kubernetes.io/name: {{ include "neuronward.name" . | quote }}
app.kubernetes.io/component: metrics
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "neuronward.monitored" -}}
name: {{ include "neuronward.fullname" .root }}
labels:
  {{- merge (include "neuronward.labels" .root | fromYaml) .values.labels | toYaml | nindent 2 }}
{{- with .values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "neuronward.scraped" -}}
interval: {{ .interval }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
