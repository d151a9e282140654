"""The only importers of vendors' SDKs: Kubernetes, Azure, the model hub, registries."""

from activities.clients.lean_kubernetes import import_modules_one_by_one

import_modules_one_by_one()
