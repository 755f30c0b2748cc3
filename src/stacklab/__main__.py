"""`python -m stacklab` is `stacklab`."""

from stacklab.cli.main import main

main()
