"""`python -m ddspvae` is the command line."""

import sys

from ddspvae.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
