{{- define "neuronward.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "neuronward.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "neuronward.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "neuronward.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* A name that goes on with a word, such as neuronward-admin: no longer than Kubernetes allows. */ -}}
{{- define "neuronward.further" -}}
{{- printf "%s-%s" (include "neuronward.fullname" .root | trunc (int (sub 62 (len .word))) | trimSuffix "-") .word -}}
{{- end -}}

{{- define "neuronward.selector" -}}
app.kubernetes.io/name: {{ include "neuronward.name" . | quote }}
app.kubernetes.io/component: gateway
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "neuronward.labels" -}}
{{ include "neuronward.selector" . }}
{{ include "neuronward.further-labels" . }}
{{- end -}}

{{- define "neuronward.further-labels" -}}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimAll "._-" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "neuronward.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- printf "%s:%s" .Values.image.repository $tag -}}{{ with .Values.image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- define "neuronward.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "neuronward.fullname" .) "default") -}}
{{- end -}}

{{- /* The variable of each secret, and its file below /etc/neuronward. */ -}}
{{- define "neuronward.files" -}}
apiToken: {variable: CLOUDFLARE_API_TOKEN_FILE, path: api-token}
clients: {variable: NEURONWARD_CLIENTS_FILE, path: clients.yaml}
storePassword: {variable: NEURONWARD_STORE_PASSWORD_FILE, path: store-password}
gatewayToken: {variable: CF_AIG_TOKEN_FILE, path: gateway-token}
analyticsToken: {variable: NEURONWARD_ANALYTICS_TOKEN_FILE, path: analytics-token}
{{- end -}}

{{- /* What a container of this chart may not do. */ -}}
{{- define "neuronward.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* As whom and where pods run, the test's with them. */ -}}
{{- define "neuronward.placing" -}}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
