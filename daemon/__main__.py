"""`python -m daemon` is `runbookd`."""

from daemon.cli import main

raise SystemExit(main())
