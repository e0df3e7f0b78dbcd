"""`manage.py export SOURCE FILE`: a source with its vectors into one file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from knowledge.errors import KnowledgeError
from knowledge.portable import export_lines
from knowledge.terminal import Refused, RefusingCommand, refusal
from progress.plural import plural
from progress.viewer import OPERATOR


class Command(RefusingCommand):
    help = "Write a source with its pages and vectors into a file that `import` takes, here or elsewhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("source", help="id of the source: `manage.py sources` lists them")
        parser.add_argument("file", type=Path, help="where to write to; - for stdout")

    def handle(self, *args: Any, source: str, file: Path, **options: Any) -> None:
        try:
            if str(file) == "-":
                for line in export_lines(source, viewer=OPERATOR):
                    self.stdout.write(line, ending="")
                return
            count = _write(source, file.expanduser())
        except KnowledgeError as error:
            raise refusal(error) from None
        except OSError as error:
            raise Refused(f"{file} cannot be written: {error.strerror}.", "file_not_written", field="file") from None
        self.stderr.write(f"{plural(count, 'line')} in {file}")


def _write(source: str, file: Path) -> int:
    """Under another name until it is whole: a file that was cut off never takes the place of an older one."""
    part = file.with_name(f"{file.name}.part")
    count = 0
    try:
        with part.open("w", encoding="utf-8") as written:
            for line in export_lines(source, viewer=OPERATOR):
                written.write(line)
                count += 1
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return count
