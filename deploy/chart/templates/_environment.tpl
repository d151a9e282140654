{{/* Environment variables and volumes of the processes: what their settings classes read, and Temporal's own. */}}

{{/* Arguments: the root, the process. A list of variables. What is behind a Service answers for 15 s more when it is
stopped: nodes with busy processors learn that late that it goes. */}}
{{- define "modelyard.environment" -}}
{{- $v := .root.Values -}}
{{- $own := dict "HOME" "/tmp" "MODELYARD_METRICS_ADDRESS" "0.0.0.0:8080" -}}
{{- if has .process.name (list "admin" "webhook") }}{{ $_ := set $own "MODELYARD_STOP_DELAY" "15" }}{{ end -}}
{{- if eq .process.name "admin" }}{{ $own = merge $own (include "modelyard.adminSettings" .root | fromYaml) }}{{ end }}
{{- if has .process.name (list "watcher" "admin" "webhook") }}
{{- $_ := set $own "MODELYARD_SYSTEM_NAMESPACE" .root.Release.Namespace }}
{{- end }}
{{- if and (eq .process.name "webhook") (ne $v.webhook.certificate.source "own") }}
{{- $_ := set $own "MODELYARD_WEBHOOK_CERTIFICATE_FOLDER" "/etc/webhook" }}
{{- end }}
{{- if has .process.name (list "worker-cluster" "webhook") }}
{{- $_ := set $own "MODELYARD_PROVIDER" $v.provider }}
{{- $_ := set $own "MODELYARD_ALLOWED_HOSTS" (toJson $v.settings.allowedHosts) }}
{{- end }}
{{- if eq .process.name "webhook" }}{{ $_ := set $own "MODELYARD_AZURE_LOCATION" $v.azure.location }}{{ end }}
{{- if eq (include "modelyard.judges" .process.name) "true" }}
{{- $_ := set $own "MODELYARD_POLICY" "/etc/modelyard/policy.yaml" }}
{{- end }}
{{- if eq .process.name "worker-cluster" }}{{ $own = merge $own (include "modelyard.workerSettings" .root | fromYaml) }}{{ end }}
{{- if eq .process.name "worker-cloud" }}{{ $own = merge $own (include "modelyard.azureSettings" .root | fromYaml) }}{{ end }}
{{- if hasPrefix "worker-" .process.name }}{{ $own = merge $own (include "modelyard.queueSettings" .root | fromYaml) }}{{ end }}
{{- $given := (get $v .process.values).environment }}
{{- range $name, $value := mergeOverwrite $own $given }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- if ne .process.name "webhook" }}
{{- include "modelyard.temporalEnvironment" .root }}
{{- end }}
{{- end }}

{{- define "modelyard.adminSettings" -}}
{{- $a := .Values.admin -}}
MODELYARD_ADMIN_ADDRESS: 0.0.0.0:8443
MODELYARD_ADMIN_HOSTS: {{ toJson $a.hosts | quote }}
MODELYARD_ADMIN_AUDIENCES: {{ toJson $a.audiences | quote }}
{{- if ne $a.certificate.source "own" }}
MODELYARD_ADMIN_CERTIFICATE_FOLDER: /etc/admin
{{- end }}
{{- end }}

{{- define "modelyard.workerSettings" -}}
{{- $s := .Values.settings -}}
MODELYARD_CLOUD_WORKER: {{ include "modelyard.cloud" . | quote }}
MODELYARD_AZURE_LOCATION: {{ .Values.azure.location | quote }}
MODELYARD_AZURE_POOL_GPU_MANAGEMENT: {{ .Values.azure.pools.gpuManagement | quote }}
MODELYARD_GPUS_OFFERED_BY: {{ $s.gpusOfferedBy | quote }}
MODELYARD_NODE_CLASS: {{ toJson $s.nodeClass | quote }}
MODELYARD_RUNTIME_IMAGE: {{ include "modelyard.image" (dict "root" . "image" .Values.image.runtime "computes" true) }}
MODELYARD_FETCH_IMAGE: {{ include "modelyard.image" (dict "root" . "image" .Values.image.fetch) }}
MODELYARD_TUNE_IMAGE: {{ include "modelyard.image" (dict "root" . "image" .Values.image.tune "computes" true) }}
MODELYARD_DATA_IMAGE: {{ include "modelyard.image" (dict "root" . "image" .Values.image.data) }}
MODELYARD_WORKFLOW_CACHE_MIB: {{ $s.workflowCacheMib | int | quote }}
MODELYARD_TUNING_STORAGE_CLASS: {{ $s.tuningStorageClass | quote }}
MODELYARD_TUNING_ENVIRONMENT: {{ toJson $s.tuningEnvironment | quote }}
MODELYARD_PLAIN_HTTP_REGISTRIES: {{ toJson $s.plainHttpRegistries | quote }}
MODELYARD_HF_ENDPOINT: {{ $s.hfEndpoint | quote }}
MODELYARD_PODS_HF_ENDPOINT: {{ $s.podsHfEndpoint | quote }}
MODELYARD_SERVE_CPU_KVCACHE_GIB: {{ $s.serveCpuKvcacheGib | int | quote }}
MODELYARD_DEADLINES: {{ toJson $s.deadlines | quote }}
{{- with $s.registryIdentity }}
{{- if .clientId }}
MODELYARD_REGISTRY_IDENTITY: {{ toJson (dict "tenant_id" .tenantId "client_id" .clientId) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "modelyard.queueSettings" -}}
{{- $w := .Values.temporal.workers -}}
{{- $image := .Values.image.controlPlane -}}
{{- $version := $image.tag | default .Chart.AppVersion -}}
{{- with $image.digest }}{{ $version = printf "%s-%s" $version (trimPrefix "sha256:" . | trunc 12) }}{{ end -}}
MODELYARD_WORKER_VERSIONING: {{ $w.versioning | quote }}
MODELYARD_WORKER_VERSION: {{ $w.version | default $version | quote }}
MODELYARD_WORKER_CAPACITY: {{ toJson $w.capacity | quote }}
{{- end }}

{{- define "modelyard.azureSettings" -}}
{{- $a := .Values.azure -}}
MODELYARD_AZURE_SUBSCRIPTION_ID: {{ $a.subscriptionId | quote }}
MODELYARD_AZURE_RESOURCE_GROUP: {{ $a.resourceGroup | quote }}
MODELYARD_AZURE_CLUSTER: {{ $a.cluster | quote }}
MODELYARD_AZURE_LOCATION: {{ $a.location | quote }}
MODELYARD_AZURE_ENDPOINT: {{ $a.endpoint | quote }}
MODELYARD_AZURE_POOLS_PER_CLUSTER: {{ $a.poolsPerCluster | int | quote }}
{{- with $a.pools }}
MODELYARD_AZURE_POOL_SUBNET_ID: {{ .subnetId | quote }}
MODELYARD_AZURE_POOL_POD_SUBNET_ID: {{ .podSubnetId | quote }}
MODELYARD_AZURE_POOL_CAPACITY_RESERVATION_GROUP_ID: {{ .capacityReservationGroupId | quote }}
MODELYARD_AZURE_POOL_OS_DISK_TYPE: {{ .osDiskType | quote }}
{{- if .osDiskGib }}
MODELYARD_AZURE_POOL_OS_DISK_GIB: {{ .osDiskGib | int | quote }}
{{- end }}
MODELYARD_AZURE_POOL_ENCRYPTION_AT_HOST: {{ .encryptionAtHost | quote }}
MODELYARD_AZURE_POOL_GPU_MANAGEMENT: {{ .gpuManagement | quote }}
MODELYARD_AZURE_POOL_TAGS: {{ toJson .tags | quote }}
{{- end }}
{{- end }}

{{/* The names are those of Temporal's environment configuration, which its SDKs and its command read alike. */}}
{{- define "modelyard.temporalEnvironment" -}}
{{- $t := .Values.temporal -}}
{{- $address := $t.embedded | ternary (printf "modelyard-temporal.%s.svc:7233" .Release.Namespace) $t.address }}
- {name: TEMPORAL_ADDRESS, value: {{ $address | quote }}}
- {name: TEMPORAL_NAMESPACE, value: {{ $t.namespace | quote }}}
{{- if $t.tls.enabled }}
- {name: TEMPORAL_TLS, value: "true"}
{{- if $t.tls.clientCertificateSecret }}
- {name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /etc/temporal/client/tls.crt}
- {name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /etc/temporal/client/tls.key}
{{- end }}
{{- if $t.tls.serverCaSecret }}
- {name: TEMPORAL_TLS_SERVER_CA_CERT_PATH, value: /etc/temporal/server/ca.crt}
{{- end }}
{{- with $t.tls.serverName }}
- {name: TEMPORAL_TLS_SERVER_NAME, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- if $t.apiKey.secret }}
- {name: MODELYARD_TEMPORAL_API_KEY_FILE, value: {{ printf "/etc/temporal/key/%s" $t.apiKey.key | quote }}}
{{- end }}
{{- if $t.payloadKeys.secret }}
- {name: MODELYARD_TEMPORAL_PAYLOAD_KEYS_FILE, value: {{ printf "/etc/temporal/payloads/%s" $t.payloadKeys.key | quote }}}
{{- end }}
{{- end }}

{{/* Whether a process judges by the operator's policy: "true" or "false". Argument: its name. */}}
{{- define "modelyard.judges" -}}
{{- has . (list "worker-cluster" "worker-cloud" "webhook") -}}
{{- end }}

{{/* Certificates and keys are mounted whole, because the kubelet never renews a file below a `subPath`. */}}
{{- define "modelyard.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if eq (include "modelyard.judges" .process.name) "true" }}
- {name: policy, mountPath: /etc/modelyard, readOnly: true}
{{- end }}
{{- range $place, $mount := (get .root.Values .process.values).secretMounts }}
- {name: given-{{ $place }}, mountPath: {{ $mount.path | quote }}, readOnly: true}
{{- end }}
{{- if and (eq .process.name "webhook") (ne .root.Values.webhook.certificate.source "own") }}
- {name: webhook, mountPath: /etc/webhook, readOnly: true}
{{- end }}
{{- if and (eq .process.name "admin") (ne .root.Values.admin.certificate.source "own") }}
- {name: admin, mountPath: /etc/admin, readOnly: true}
{{- end }}
{{- if ne .process.name "webhook" }}
{{- with .root.Values.temporal.tls }}
{{- if .clientCertificateSecret }}
- {name: temporal-client, mountPath: /etc/temporal/client, readOnly: true}
{{- end }}
{{- if .serverCaSecret }}
- {name: temporal-server, mountPath: /etc/temporal/server, readOnly: true}
{{- end }}
{{- end }}
{{- if .root.Values.temporal.apiKey.secret }}
- {name: temporal-key, mountPath: /etc/temporal/key, readOnly: true}
{{- end }}
{{- if .root.Values.temporal.payloadKeys.secret }}
- {name: temporal-payloads, mountPath: /etc/temporal/payloads, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{- define "modelyard.volumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 64Mi}}
{{- if eq (include "modelyard.judges" .process.name) "true" }}
- {name: policy, configMap: {name: modelyard-policy}}
{{- end }}
{{- range $place, $mount := (get .root.Values .process.values).secretMounts }}
- {name: given-{{ $place }}, secret: {secretName: {{ $mount.secret | quote }}, defaultMode: 0440}}
{{- end }}
{{- if and (eq .process.name "webhook") (ne .root.Values.webhook.certificate.source "own") }}
- {name: webhook, secret: {secretName: {{ include "modelyard.webhookSecret" .root }}, defaultMode: 0440}}
{{- end }}
{{- if and (eq .process.name "admin") (ne .root.Values.admin.certificate.source "own") }}
- {name: admin, secret: {secretName: {{ include "modelyard.adminSecret" .root }}, defaultMode: 0440}}
{{- end }}
{{- if ne .process.name "webhook" }}
{{- with .root.Values.temporal.tls }}
{{- if .clientCertificateSecret }}
- {name: temporal-client, secret: {secretName: {{ .clientCertificateSecret | quote }}, defaultMode: 0440}}
{{- end }}
{{- if .serverCaSecret }}
- name: temporal-server
  secret: {secretName: {{ .serverCaSecret | quote }}, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- end }}
{{- range $name, $given := dict "temporal-key" .root.Values.temporal.apiKey "temporal-payloads" .root.Values.temporal.payloadKeys }}
{{- if $given.secret }}
- name: {{ $name }}
  secret: {secretName: {{ $given.secret | quote }}, items: [{key: {{ $given.key | quote }}, path: {{ $given.key | quote }}}], defaultMode: 0440}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
