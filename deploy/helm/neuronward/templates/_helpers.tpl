{{- define "neuronward.name" -}}
{{- if contains "neuronward" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-neuronward" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "neuronward.selector" -}}
app.kubernetes.io/name: neuronward
app.kubernetes.io/component: gateway
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "neuronward.labels" -}}
{{ include "neuronward.selector" . }}
{{- /* A tag may go on with @ and a digest, or be longer, which no label may. */}}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | splitList "@" | first | trunc 63 | trimAll "._-" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "neuronward.secret" -}}
{{- .Values.secret.name | default (include "neuronward.name" .) -}}
{{- end -}}

{{/* The schema says the same, but can be told to keep quiet: --skip-schema-validation. */}}
{{- define "neuronward.alone" -}}
{{- if and (not .Values.redis.enabled) (or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled) -}}
{{- fail "more than one replica needs redis.enabled: each would believe that it owns the day's neurons" -}}
{{- end -}}
{{- end -}}
