"""`python -m xiaoe.cli`."""

import sys

from xiaoe.cli import main

sys.exit(main())
