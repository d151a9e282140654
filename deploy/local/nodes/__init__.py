"""Nodes: a containerd, a kubelet and a kube-proxy each."""
