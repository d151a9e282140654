"""Pods without kubelets: inputs, rules, statuses, simulated kubelets and Jobs."""
