"""A real disk of a few megabytes that only the processes started on it see, and that goes with them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from progress.lifeline import tied_to_this_process
from tests.environment import temporary_folder
from tests.stack import ROOT

# In a mount namespace of its own: nothing is left on the machine, however the test ends.
MOUNT = 'mount -t tmpfs -o "$1" tmpfs "$2" && echo mounted && exec cat'
MIB = 2**20


class SmallDisk:
    def __init__(self, holder: subprocess.Popen[str], folder: Path, enter: list[str]) -> None:
        self.folder = folder
        # The same folder as this process sees it.
        self.outside = Path(f"/proc/{holder.pid}/root{folder}")
        # Before a command that is to run on it.
        self.enter = enter

    def fill(self, *, leave: int = 0) -> None:
        """To the last byte, but for so many."""
        stat = os.statvfs(self.outside)
        free = stat.f_bavail * stat.f_frsize - leave
        with contextlib.suppress(OSError), (self.outside / "filling").open("ab", buffering=0) as filling:
            while free > 0:
                free -= filling.write(bytes(min(free, 65536)))

    def make_room(self) -> None:
        (self.outside / "filling").unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(size: int, *, options: str = "mode=777") -> Iterator[SmallDisk]:
    """Of `size` bytes. Skips the test where nobody may mount anything."""
    root = os.geteuid() == 0
    unshare = ["unshare", "--mount", *([] if root else ["--map-root-user"])]
    with temporary_folder() as folder:
        holder = subprocess.Popen(
            [*unshare, "sh", "-c", MOUNT, "sh", f"size={size},{options}", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=tied_to_this_process(signal.SIGKILL),
        )
        with holder:
            try:
                assert holder.stdout is not None
                if holder.stdout.readline() != "mounted\n":
                    pytest.skip(f"no file system can be mounted here: {holder.communicate()[1].strip()}")
                user = [] if root else ["--user", "--preserve-credentials"]
                yield SmallDisk(
                    holder, folder, ["nsenter", "--target", str(holder.pid), "--mount", *user, f"--wd={ROOT}"]
                )
            finally:
                holder.kill()
