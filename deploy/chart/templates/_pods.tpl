{{/* What all pods of the chart have in common. */}}

{{/* Pod Security `restricted`; the number is that of the control plane's image. */}}
{{- define "modelyard.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "modelyard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Nodes of AKS with Windows have no taint. */}}
{{- define "modelyard.anyNode" -}}
kubernetes.io/os: linux
{{- end }}

{{/* Over machines and zones, where there are several. Arguments: the root, a component's name. */}}
{{- define "modelyard.spread" -}}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "modelyard.selector" $ | nindent 6 }}
{{- end }}
{{- end }}

{{/* The template of a process's pods. Arguments: the root, the process. */}}
{{- define "modelyard.pod" -}}
{{- $values := get .root.Values .process.values -}}
{{- $own := dict "root" .root "name" .process.name -}}
metadata:
  labels:
    {{- include "modelyard.labels" $own | nindent 4 }}
    {{- if eq .process.name "worker-cloud" }}
    azure.workload.identity/use: "true"
    {{- end }}
  {{- with $values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: modelyard-{{ .process.name }}
  automountServiceAccountToken: {{ .process.cluster }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- include "modelyard.podSecurity" . | nindent 4 }}
  # A worker hands its work on within 28 s of SIGTERM.
  terminationGracePeriodSeconds: 30
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  nodeSelector:
    {{- toYaml (merge (deepCopy ($values.nodeSelector | default dict)) (include "modelyard.anyNode" . | fromYaml)) | nindent 4 }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- include "modelyard.spread" $own | trim | nindent 4 }}
  containers:
    - name: {{ .process.name }}
      image: {{ include "modelyard.image" (dict "root" .root "image" .root.Values.image.controlPlane) | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: [python]
      args: {{ toJson .process.arguments }}
      env:
        {{- include "modelyard.environment" . | trim | nindent 8 }}
      ports:
        - {name: http, containerPort: 8080}
        {{- if has .process.name (list "admin" "webhook") }}
        - {name: https, containerPort: 8443}
        {{- end }}
      # A process begins to answer when it has reached Temporal and the API server; one that cannot ends by itself. On a
      # node whose processors are all busy that takes minutes, and begun again it would never get there.
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 300
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 5
        timeoutSeconds: 5
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        {{- include "modelyard.containerSecurity" . | nindent 8 }}
      volumeMounts:
        {{- include "modelyard.mounts" . | nindent 8 }}
  volumes:
    {{- include "modelyard.volumes" . | nindent 4 }}
{{- end }}
