// The managed identity of Modelyard's cloud worker with its federated credential, and on request an AKS cluster and a
// container registry that the cluster pulls from. The identity may change node pools of this cluster and of no other.
// Deployed by `main.bicep`, which defines that role and lets the identity read the subscription's sizes and quota.

param location string
param clusterName string
param createCluster bool
param registryName string
param systemMachine string
param namespace string
param poolsRole string

// Azure's own role AcrPull; its identifier is the same in every subscription.
var acrPull = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d')

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${clusterName}-modelyard'
  location: location
}

resource cluster 'Microsoft.ContainerService/managedClusters@2025-01-01' = if (createCluster) {
  name: clusterName
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    dnsPrefix: clusterName
    oidcIssuerProfile: {
      enabled: true
    }
    securityProfile: {
      workloadIdentity: {
        enabled: true
      }
    }
    agentPoolProfiles: [
      {
        name: 'system'
        mode: 'System'
        count: 2
        vmSize: systemMachine
        osType: 'Linux'
        type: 'VirtualMachineScaleSets'
      }
    ]
  }
}

resource present 'Microsoft.ContainerService/managedClusters@2025-01-01' existing = if (!createCluster) {
  name: clusterName
}

// The service account is the chart's, and only pods of the cloud worker use it.
resource credential 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = {
  parent: identity
  name: 'modelyard-worker-cloud'
  properties: {
    issuer: createCluster ? cluster.properties.oidcIssuerProfile.issuerURL : present.properties.oidcIssuerProfile.issuerURL
    subject: 'system:serviceaccount:${namespace}:modelyard-worker-cloud'
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = if (!empty(registryName)) {
  name: empty(registryName) ? 'unused' : registryName
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    adminUserEnabled: false
  }
}

resource pull 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(registryName)) {
  name: guid(resourceGroup().id, registryName, clusterName, 'AcrPull')
  scope: registry
  properties: {
    roleDefinitionId: acrPull
    principalId: createCluster ? cluster.properties.identityProfile.kubeletidentity.objectId : present.properties.identityProfile.kubeletidentity.objectId
    principalType: 'ServicePrincipal'
  }
}

// A scope is one resource, and the cluster is either made here or there already.
resource pools 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (createCluster) {
  name: guid(resourceGroup().id, clusterName, poolsRole)
  scope: cluster
  properties: {
    roleDefinitionId: poolsRole
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource poolsOfPresent 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!createCluster) {
  name: guid(resourceGroup().id, clusterName, poolsRole)
  scope: present
  properties: {
    roleDefinitionId: poolsRole
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

output principalId string = identity.properties.principalId
output clientId string = identity.properties.clientId
output registry string = empty(registryName) ? '' : registry.properties.loginServer
