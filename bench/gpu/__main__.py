"""`python -m bench.gpu`: runs `check.py`, or reports what this environment lacks to do so."""

import sys

from bench.gpu.machine.environment import how_to_install

try:
    from bench.gpu.check import main
except ModuleNotFoundError as error:
    print(f"{sys.executable} lacks {error.name}; {how_to_install()}", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
