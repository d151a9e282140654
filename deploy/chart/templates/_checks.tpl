{{/* What the schema cannot say: values that do not go together. Each message names the fix. */}}
{{- define "modelyard.checks" -}}
{{- $v := .Values -}}
{{- if not $v.image.registry }}
{{- fail "image.registry is empty: no registry has Modelyard's images but yours. Fix: build and push them (docs/install.md), then --set image.registry=HOST/PATH" }}
{{- end }}
{{- if eq (include "modelyard.cloud" .) "true" }}
{{- range $name := list "subscriptionId" "resourceGroup" "cluster" "location" "clientId" }}
{{- if not (get $v.azure $name) }}
{{- fail (printf "azure.%s is empty: the worker that buys AKS node pools needs it. Fix: --set azure.%s=..., or provider=karpenter or byo" $name $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq $v.provider "aks") (ne (include "modelyard.cloud" .) "true") }}
{{- fail "provider is aks and workerCloud.enabled is false: nobody would buy the nodes. Fix: provider=karpenter or byo, or leave workerCloud.enabled empty" }}
{{- end }}
{{- if and (not $v.temporal.embedded) (not $v.temporal.address) }}
{{- fail "temporal.address is empty. Fix: --set temporal.address=HOST:PORT, or for a trial --set temporal.embedded=true" }}
{{- end }}
{{- if and $v.temporal.embedded (or $v.temporal.address $v.temporal.tls.enabled $v.temporal.apiKey.secret) }}
{{- fail "temporal.embedded starts a Temporal of its own, which is reached without TLS and key. Fix: leave temporal.address, temporal.tls and temporal.apiKey empty, or set temporal.embedded=false" }}
{{- end }}
{{- if and $v.temporal.embedded (ne $v.temporal.namespace "default") }}
{{- fail "the embedded Temporal has the namespace `default` only. Fix: leave temporal.namespace as it is" }}
{{- end }}
{{- if not $v.temporal.tls.enabled }}
{{- if $v.temporal.apiKey.secret }}
{{- fail "temporal.apiKey.secret is set and temporal.tls.enabled is not: the key would travel in the clear. Fix: --set temporal.tls.enabled=true" }}
{{- end }}
{{- if or $v.temporal.tls.clientCertificateSecret $v.temporal.tls.serverCaSecret $v.temporal.tls.serverName }}
{{- fail "temporal.tls has settings and is not enabled. Fix: --set temporal.tls.enabled=true" }}
{{- end }}
{{- end }}
{{- range $name, $value := $v.azure.pools.tags }}
{{- if hasPrefix "modelyard-" (lower $name) }}
{{- fail (printf "azure.pools.tags has %s: tags that begin with modelyard- are Modelyard's. Fix: choose another name" $name) }}
{{- end }}
{{- end }}
{{- with $v.webhook.certificate }}
{{- if and (eq .source "secret") (or (not .secret) (not .caBundle)) }}
{{- fail "webhook.certificate.source is secret: it needs webhook.certificate.secret and webhook.certificate.caBundle. Fix: set both, or source=own" }}
{{- end }}
{{- if and (eq .source "cert-manager") (not .issuer.name) }}
{{- fail "webhook.certificate.source is cert-manager: it needs webhook.certificate.issuer.name. Fix: name an issuer, or source=own" }}
{{- end }}
{{- end }}
{{- with $v.admin.certificate }}
{{- if and (eq .source "secret") (not .secret) }}
{{- fail "admin.certificate.source is secret: it needs admin.certificate.secret. Fix: name it, or source=own" }}
{{- end }}
{{- if and (eq .source "cert-manager") (not .issuer.name) }}
{{- fail "admin.certificate.source is cert-manager: it needs admin.certificate.issuer.name. Fix: name an issuer, or source=own" }}
{{- end }}
{{- end }}
{{- if and $v.devicePlugin.enabled (eq $v.azure.pools.gpuManagement "Managed") }}
{{- fail "devicePlugin.enabled and azure.pools.gpuManagement=Managed: two device plugins would offer the same GPUs. Fix: choose one" }}
{{- end }}
{{- if and $v.devicePlugin.enabled $v.devicePlugin.createNamespace (eq $v.devicePlugin.namespace .Release.Namespace) }}
{{- fail "devicePlugin.namespace is the chart's own, which is there already and would be opened to privileged pods. Fix: leave it as it is" }}
{{- end }}
{{- range $process := include "modelyard.processes" . | fromYamlArray }}
{{- $one := get $v $process.values }}
{{- if and $one.autoscaling.enabled (lt (int $one.autoscaling.maxReplicas) (int $one.replicas)) }}
{{- fail (printf "%s.autoscaling.maxReplicas is less than %s.replicas. Fix: raise it" $process.values $process.values) }}
{{- end }}
{{- end }}
{{- if $v.watcher.autoscaling.enabled }}
{{- fail "watcher.autoscaling.enabled: one watcher leads and the others wait, so more of them do no more work. Fix: watcher.autoscaling.enabled=false, and watcher.resources for a larger one" }}
{{- end }}
{{- if empty $v.settings.registryIdentity.tenantId | ne (empty $v.settings.registryIdentity.clientId) }}
{{- fail "settings.registryIdentity needs both tenantId and clientId, or neither" }}
{{- end }}
{{- end }}
