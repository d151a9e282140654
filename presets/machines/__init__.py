"""Which machines are known: GPUs, memory, labels, prices."""
