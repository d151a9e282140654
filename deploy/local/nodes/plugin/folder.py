"""Where plugins and the kubelet meet on a node, and where the machine's GPUs stand. No gRPC is imported here."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path("/var/lib/kubelet/device-plugins")
"""Of every kubelet with the usual root (Kubernetes, "Device Plugins")."""
GPUS: Final = "gpus"
"""Below FOLDER, a file for each GPU. The kubelet empties its folder of files when it starts, not of folders."""
