"""``python -m lujin``: the command line where the script is not on the path."""

from lujin.cli import main

if __name__ == "__main__":
    main()
