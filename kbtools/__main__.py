"""`python -m kbtools`: the command line, by the interpreter that has kbtools rather than by the path."""

from kbtools.cli import main

main()
