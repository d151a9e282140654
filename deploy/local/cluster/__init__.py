"""The Kubernetes control plane: flags, certificates, kubeconfigs, resources."""
