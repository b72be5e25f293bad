"""`python -m connector.cli`, the same as `connector`."""

from connector.cli.main import main

main()
