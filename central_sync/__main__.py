"""`python -m central_sync` is the command `central-sync`."""

import sys

from central_sync.cli import main

if __name__ == "__main__":
    sys.exit(main())
