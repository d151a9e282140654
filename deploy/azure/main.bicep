// What Modelyard needs in Azure: a resource group, the roles of its cloud worker, and what `resources.bicep` makes.
//
//   az deployment sub create --name modelyard --location eastus --template-file deploy/azure/main.bicep
//
// docs/install.md says what to do with the outputs. Nothing of this holds a secret.

targetScope = 'subscription'

@description('Region of everything; by default that of the deployment.')
param location string = deployment().location

@description('Resource group of the cluster, made with it.')
param resourceGroupName string = 'models'

@description('Name of the AKS cluster.')
@minLength(1)
@maxLength(63)
param clusterName string = 'models-aks'

@description('Whether the cluster is made. If not, one of that name is there, with OIDC issuer and workload identity.')
param createCluster bool = true

@description('Name of a container registry to make, 5 to 50 letters and digits, unique in all of Azure; empty: none.')
@maxLength(50)
param registryName string = ''

@description('Machines of the system pool, on which Modelyard itself runs. Models get pools of their own.')
param systemMachine string = 'Standard_D4s_v5'

@description('Kubernetes namespace that the chart is installed in.')
param namespace string = 'modelyard-system'

@description('Ends the names of the two roles, of which a tenant has each once: for a second subscription of a tenant.')
param roleSuffix string = ''

// The same files as for `az role definition create`.
var role = loadJsonContent('role.json')
var subscriptionRole = loadJsonContent('subscription-role.json')

// That of a cluster that is there already is left alone: writing it would replace its tags.
resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = if (createCluster) {
  name: resourceGroupName
  location: location
}

resource roleDefinition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, role.Name)
  properties: {
    roleName: '${role.Name}${roleSuffix}'
    description: role.Description
    type: 'CustomRole'
    permissions: [
      {
        actions: role.Actions
        notActions: role.NotActions
        dataActions: role.DataActions
        notDataActions: role.NotDataActions
      }
    ]
    assignableScopes: [
      subscription().id
    ]
  }
}

resource subscriptionRoleDefinition 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, subscriptionRole.Name)
  properties: {
    roleName: '${subscriptionRole.Name}${roleSuffix}'
    description: subscriptionRole.Description
    type: 'CustomRole'
    permissions: [
      {
        actions: subscriptionRole.Actions
        notActions: subscriptionRole.NotActions
        dataActions: subscriptionRole.DataActions
        notDataActions: subscriptionRole.NotDataActions
      }
    ]
    assignableScopes: [
      subscription().id
    ]
  }
}

module resources 'resources.bicep' = {
  name: 'modelyard-resources'
  scope: resourceGroup(resourceGroupName)
  dependsOn: [
    group
  ]
  params: {
    location: location
    clusterName: clusterName
    createCluster: createCluster
    registryName: registryName
    systemMachine: systemMachine
    namespace: namespace
    poolsRole: roleDefinition.id
  }
}

// Sizes and quota are the subscription's. Node pools are the cluster's: `resources.bicep` gives that role.
resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, resourceGroupName, clusterName, subscriptionRole.Name)
  properties: {
    roleDefinitionId: subscriptionRoleDefinition.id
    principalId: resources.outputs.principalId
    principalType: 'ServicePrincipal'
  }
}

output subscriptionId string = subscription().subscriptionId
output resourceGroup string = resourceGroupName
output cluster string = clusterName
output location string = location
output clientId string = resources.outputs.clientId
output registry string = resources.outputs.registry
