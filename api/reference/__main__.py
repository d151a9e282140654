"""`python -m api.reference admission|fields|reasons|config-keys|policy > docs/<page>.md`"""

import sys

from api.reference.pages import PAGES

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PAGES:
        print(f"usage: python -m api.reference {'|'.join(PAGES)}", file=sys.stderr)
        sys.exit(2)
    sys.stdout.write(PAGES[sys.argv[1]]())
