"""A stand-in for NVIDIA's device plugin, on machines without GPUs: it offers to the kubelet what files say."""
