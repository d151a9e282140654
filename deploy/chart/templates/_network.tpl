{{/* Peers and rules of NetworkPolicies. */}}

{{/* Everything but the addresses at which a cloud tells nodes their identity: Azure's and AWS' metadata, Azure's wire
server. Some networks match no pods by address, so pods are named too. */}}
{{- define "modelyard.anywhere" -}}
- namespaceSelector: {}
- ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32, 168.63.129.16/32]}
- ipBlock: {cidr: "::/0", except: ["fd00:ec2::254/128"]}
{{- end }}

{{/* DNS may be at a link-local address, on the node. */}}
{{- define "modelyard.dnsRule" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- end }}

{{/* A rule of egress. Arguments: `ports` as numbers, `to` as peers, where none are anywhere. */}}
{{- define "modelyard.egressRule" -}}
- ports:
    {{- range .ports }}
    - {port: {{ int . }}}
    {{- end }}
  to:
    {{- if .to }}
    {{- toYaml .to | nindent 4 }}
    {{- else }}
    {{- include "modelyard.anywhere" . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* What a process reaches. Arguments: the root, the process. */}}
{{- define "modelyard.processEgress" -}}
{{- $v := .root.Values -}}
{{- $egress := $v.networkPolicies.egress -}}
{{- include "modelyard.dnsRule" . }}
{{- if .process.cluster }}
{{ include "modelyard.egressRule" (dict "ports" $egress.apiServerPorts "to" list) }}
{{- end }}
{{- if ne .process.name "webhook" }}
{{- if $v.temporal.embedded }}
{{- $temporal := include "modelyard.selector" (dict "root" .root "name" "temporal") | fromYaml }}
{{ include "modelyard.egressRule" (dict "ports" (list 7233) "to" (list (dict "podSelector" (dict "matchLabels" $temporal)))) }}
{{- else }}
{{ include "modelyard.egressRule" (dict "ports" (list (splitList ":" $v.temporal.address | last)) "to" list) }}
{{- end }}
{{- end }}
{{- if hasPrefix "worker-" .process.name }}
{{ include "modelyard.egressRule" (dict "ports" $egress.ports "to" $egress.to) }}
{{- end }}
{{- if and $egress.metadata (eq .process.name "worker-cloud") }}
- ports: [{port: 80}]
  to: [{ipBlock: {cidr: 169.254.169.254/32}}]
{{- end }}
{{- end }}
