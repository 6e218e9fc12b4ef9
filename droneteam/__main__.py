"""`python -m droneteam` is the `droneteam` command."""

import sys

from droneteam.cli import main

sys.exit(main())
