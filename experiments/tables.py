"""How an experiment writes its table: Markdown to read, CSV to go on with."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from srn_tf.common.files import written_beside
from srn_tf.evaluation.results import markdown_table


def write_tables(
    output: Path, name: str, header: Sequence[str], rows: Sequence[Sequence[str]], caption: str
) -> str:
    """Writes `output/NAME.md`, the table and its caption, and `output/NAME.csv`.

    Returns:
      The text of the former.
    """
    text = f"{markdown_table(header, rows)}\n\n{caption}\n"
    with written_beside(output / f"{name}.md") as temporary:
        temporary.write_text(text)
    with (
        written_beside(output / f"{name}.csv") as temporary,
        temporary.open("w", newline="") as file,
    ):
        csv.writer(file).writerows([header, *rows])
    return text
