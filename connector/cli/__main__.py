"""`python -m connector.cli`, the same as `connector`."""

from connector.cli.start import main

main()
