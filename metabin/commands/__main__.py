"""`python -m metabin.commands` is the program `metabin`."""

from __future__ import annotations

from metabin.commands import main

if __name__ == "__main__":
    main(prog_name="metabin")
