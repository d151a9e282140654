"""The deadlines of steps in stacks that faults strike: longer than a lost worker takes to be noticed (20 s), shorter
than anybody wants to wait for a test. As the workers' setting `MODELYARD_DEADLINES`, in seconds.
"""

from typing import Final

DEADLINES: Final = '{"provision": 120, "nodes": 120, "model": 90, "serving": 120, "verify": 90}'
