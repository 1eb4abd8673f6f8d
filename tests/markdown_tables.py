"""Reading the tables that experiments write."""

from pathlib import Path


def rows_of(path: Path) -> list[list[str]]:
    """The cells of the rows of a file's table, the header first."""
    lines = path.read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    return [cells[0], *cells[2:]]
