{{/* Labels and images, the same for every object. */}}

{{/* Labels of an object. Arguments: the root, a component's name. */}}
{{- define "modelyard.labels" -}}
{{- include "modelyard.selector" . }}
app.kubernetes.io/part-of: modelyard
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that select a component's pods; never changed, because a Deployment's selector cannot be. */}}
{{- define "modelyard.selector" -}}
app.kubernetes.io/name: modelyard-{{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Reference of an image. Arguments: the root, the image's values; `computes` for one that there is for each device.
Those of others name their own registry. */}}
{{- define "modelyard.image" -}}
{{- $registry := .root.Values.image.registry -}}
{{- if and .image.registry (not .root.Values.image.mirrored) }}{{ $registry = .image.registry }}{{ end -}}
{{- $name := printf "%s/%s" $registry .image.repository -}}
{{- if .image.digest }}{{ printf "%s@%s" $name .image.digest }}
{{- else if eq .image.tag "latest" }}
{{- fail (printf "the tag of image %s is `latest`: nobody could tell what runs, nor go back to it. Fix: give it a tag of its own, or a digest" .image.repository) }}
{{- else if and (hasKey .image "registry") (not .image.tag) }}
{{- fail (printf "image %s has neither tag nor digest, and others do not number theirs as we do. Fix: give it one" .image.repository) }}
{{- else }}
{{- $tag := .computes | default false | ternary (printf "%s-%s" .root.Chart.AppVersion .root.Values.image.device) .root.Chart.AppVersion }}
{{- printf "%s:%s" $name (.image.tag | default $tag) }}
{{- end }}
{{- end }}

{{/* The Secret with a certificate of the webhook's that others make. */}}
{{- define "modelyard.webhookSecret" -}}
{{- eq .Values.webhook.certificate.source "secret" | ternary .Values.webhook.certificate.secret "modelyard-webhook-tls" -}}
{{- end }}

{{/* The Secret with a certificate of the admin API's that others make. */}}
{{- define "modelyard.adminSecret" -}}
{{- eq .Values.admin.certificate.source "secret" | ternary .Values.admin.certificate.secret "modelyard-admin-tls" -}}
{{- end }}

{{/* Whether a worker with the cloud's identity runs: "true" or "false". */}}
{{- define "modelyard.cloud" -}}
{{- $enabled := .Values.workerCloud.enabled -}}
{{- if kindIs "invalid" $enabled }}{{ eq .Values.provider "aks" }}{{ else }}{{ $enabled }}{{ end -}}
{{- end }}

{{/*
The processes, as a list. `values` is their key in the values file, `arguments` are those of Python, `rights` the
identity in files/rights.yaml whose rules they get, `cluster` whether they talk to the API server at all.
*/}}
{{- define "modelyard.processes" -}}
- {name: watcher, values: watcher, arguments: ["-m", watcher], rights: "modelyard:watcher", cluster: true}
- name: worker-cluster
  values: workerCluster
  arguments: ["-m", worker, "--queues", "workspaces,waits,releases"]
  rights: "modelyard:cluster-worker"
  cluster: true
{{- if eq (include "modelyard.cloud" .) "true" }}
- {name: worker-cloud, values: workerCloud, arguments: ["-m", worker, "--queues", cloud], rights: "", cluster: false}
{{- end }}
- {name: admin, values: admin, arguments: ["-m", admin], rights: "modelyard:admin", cluster: true}
{{- if .Values.webhook.enabled }}
- {name: webhook, values: webhook, arguments: ["-m", admin.webhook], rights: "modelyard:webhook", cluster: true}
{{- end }}
{{- end }}
