{{- /*
Says what cannot work together, all of it at once. The schema looks at each value alone: it cannot say why two of them do not go
together, and --skip-schema-validation leaves it out.
*/ -}}
{{- define "neuronward.refuse" -}}
{{- $wrong := list -}}
{{- $v := .Values -}}

{{- if not $v.accountId -}}
{{- $wrong = append $wrong "accountId is required: the 32 hexadecimal digits of the account, from Cloudflare's dashboard" -}}
{{- end -}}
{{- range $name, $secret := $v.secrets -}}
{{- if and $secret.value $secret.existingSecret -}}
{{- $wrong = append $wrong (printf "secrets.%s has both value and existingSecret: keep one of them" $name) -}}
{{- end -}}
{{- end -}}
{{- if not (or $v.secrets.apiToken.value $v.secrets.apiToken.existingSecret) -}}
{{- $wrong = append $wrong "secrets.apiToken is required: name a Secret (existingSecret), or give the value" -}}
{{- end -}}
{{- $anonymous := eq (toString $v.config.NEURONWARD_ALLOW_ANONYMOUS) "true" -}}
{{- if not (or $v.secrets.clients.value $v.secrets.clients.existingSecret $anonymous) -}}
{{- $wrong = append $wrong "secrets.clients is required: without keys everybody in the cluster could spend the account's neurons; neuronward client new NAME prints an entry" -}}
{{- end -}}

{{- if and (not $v.redis.enabled) (or (gt (int $v.replicaCount) 1) $v.autoscaling.enabled) -}}
{{- $wrong = append $wrong "more than one replica needs redis.enabled: each would believe that it owns the day's neurons" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- $wrong = append $wrong "autoscaling.minReplicas is above autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and $v.redis.enabled (not $v.redis.address) -}}
{{- $wrong = append $wrong "redis.enabled needs redis.address, such as redis://redis:6379/0" -}}
{{- end -}}
{{- if and $v.redis.address (not $v.redis.enabled) -}}
{{- $wrong = append $wrong "redis.address is set, but redis.enabled is not" -}}
{{- end -}}
{{- if regexMatch "^[^/]+//[^/@]*:[^/@]*@" $v.redis.address -}}
{{- $wrong = append $wrong "redis.address holds a password: put it into secrets.storePassword, which is a file and no variable" -}}
{{- end -}}
{{- if and (or $v.secrets.storePassword.value $v.secrets.storePassword.existingSecret) (not $v.redis.enabled) -}}
{{- $wrong = append $wrong "secrets.storePassword is set, but redis.enabled is not" -}}
{{- end -}}
{{- if and $v.persistence.enabled $v.redis.enabled -}}
{{- $wrong = append $wrong "persistence.enabled and redis.enabled are both set: the count is in Redis, and the volume would stay empty" -}}
{{- end -}}
{{- if and $v.persistence.existingClaim (not $v.persistence.enabled) -}}
{{- $wrong = append $wrong "persistence.existingClaim is set, but persistence.enabled is not" -}}
{{- end -}}

{{- if and $v.tls.enabled (not $v.tls.existingSecret) -}}
{{- $wrong = append $wrong "tls.enabled needs tls.existingSecret: a Secret with the certificate and its key" -}}
{{- end -}}
{{- if and $v.tls.existingSecret (not $v.tls.enabled) -}}
{{- $wrong = append $wrong "tls.existingSecret is set, but tls.enabled is not" -}}
{{- end -}}
{{- if and $v.caBundle.configMap $v.caBundle.existingSecret -}}
{{- $wrong = append $wrong "caBundle has both configMap and existingSecret: keep one of them" -}}
{{- end -}}

{{- $own := dict "CLOUDFLARE_ACCOUNT_ID" "accountId" "CLOUDFLARE_API_TOKEN" "secrets.apiToken" "CF_AIG_TOKEN" "secrets.gatewayToken"
  "NEURONWARD_ANALYTICS_TOKEN" "secrets.analyticsToken" "NEURONWARD_STORE_PASSWORD" "secrets.storePassword"
  "NEURONWARD_STORE" "redis.address" "NEURONWARD_CLIENTS" "secrets.clients" "NEURONWARD_TLS_CERT" "tls" "NEURONWARD_TLS_KEY" "tls"
  "NEURONWARD_LISTEN" "service.port" "NEURONWARD_ADMIN_LISTEN" "networkPolicy.monitoringNamespace"
  "NEURONWARD_DRAIN" "drainSeconds" "NEURONWARD_MAX_HELD" "maxHeldMiB" "SSL_CERT_DIR" "caBundle" -}}
{{- $set := dict -}}
{{- range $name, $value := $v.config -}}{{- $_ := set $set $name "config" -}}{{- end -}}
{{- range $v.extraEnv -}}{{- $_ := set $set .name "extraEnv" -}}{{- end -}}
{{- range $name, $where := $set -}}
{{- with get $own (trimSuffix "_FILE" $name) -}}
{{- $wrong = append $wrong (printf "%s sets %s, which the chart sets: use %s" $where $name .) -}}
{{- end -}}
{{- end -}}
{{- if hasKey (default dict $v.resources.limits) "memory" -}}
{{- $wrong = append $wrong "resources.limits.memory follows from maxHeldMiB: set that" -}}
{{- end -}}
{{- $volumes := list "secrets" "state" -}}
{{- range $v.extraVolumes -}}
{{- if has .name $volumes -}}
{{- $wrong = append $wrong (printf "extraVolumes has %s, which is there already: give it another name" .name) -}}
{{- end -}}
{{- $volumes = append $volumes .name -}}
{{- end -}}
{{- range $v.extraVolumeMounts -}}
{{- if not (has .name $volumes) -}}
{{- $wrong = append $wrong (printf "extraVolumeMounts has %s, which is not in extraVolumes" .name) -}}
{{- end -}}
{{- if regexMatch "^/(etc|var/lib)/neuronward(/|$)" .mountPath -}}
{{- $wrong = append $wrong (printf "extraVolumeMounts has %s, which is the chart's: mount it elsewhere" .mountPath) -}}
{{- end -}}
{{- end -}}
{{- $selector := include "neuronward.selector" . | fromYaml -}}
{{- range $label, $value := $v.podLabels -}}
{{- if hasKey $selector $label -}}
{{- $wrong = append $wrong (printf "podLabels has %s, by which the Service finds the pods: use nameOverride" $label) -}}
{{- end -}}
{{- end -}}

{{- if and $v.service.nodePort (eq $v.service.type "ClusterIP") -}}
{{- $wrong = append $wrong "service.nodePort needs service.type NodePort or LoadBalancer" -}}
{{- end -}}
{{- if and $v.service.externalTrafficPolicy (eq $v.service.type "ClusterIP") -}}
{{- $wrong = append $wrong "service.externalTrafficPolicy needs service.type NodePort or LoadBalancer" -}}
{{- end -}}
{{- if and (or $v.service.loadBalancerClass $v.service.loadBalancerSourceRanges) (ne $v.service.type "LoadBalancer") -}}
{{- $wrong = append $wrong "service.loadBalancerClass and service.loadBalancerSourceRanges need service.type LoadBalancer" -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- $wrong = append $wrong "ingress.enabled needs ingress.hosts" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- $wrong = append $wrong "httpRoute.enabled needs httpRoute.parentRefs: the Gateway that it belongs to" -}}
{{- end -}}
{{- if and $v.serviceMonitor.enabled $v.podMonitor.enabled -}}
{{- $wrong = append $wrong "serviceMonitor.enabled and podMonitor.enabled are both set: each replica would be scraped twice" -}}
{{- end -}}
{{- $budget := $v.podDisruptionBudget -}}
{{- if and (ne (toString $budget.minAvailable) "<nil>") (ne (toString $budget.maxUnavailable) "<nil>") -}}
{{- $wrong = append $wrong "podDisruptionBudget has both minAvailable and maxUnavailable: set the other one to null" -}}
{{- end -}}

{{- if $wrong -}}
{{- printf "\n\n* %s\n" (join "\n* " $wrong) | fail -}}
{{- end -}}
{{- end -}}
