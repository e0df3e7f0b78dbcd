"""A source as a file that another Archon can take: one JSON object a line, vectors and all."""

from knowledge.portable.export import export_lines
from knowledge.portable.taking import cancel, run, start, sweep

__all__ = ["cancel", "export_lines", "run", "start", "sweep"]
