"""`DIR/bin/dkm`: the one command of an installation."""

from dkm.main import main

main()
