"""A child must not outlive its parent, even when the parent is killed without a chance to say so."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def tie_to_parent(death_signal: signal.Signals, *, parent: int | None = None) -> None:
    """Ask the kernel to send `death_signal` to the calling process when its parent dies.

    `parent` is the pid the caller expects: a parent that died before this call sends nothing.
    Only Linux knows this; elsewhere an orderly stop still ends the children.
    """
    if not sys.platform.startswith("linux"):
        return
    _prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def tied_to_this_process(death_signal: signal.Signals, *, uid: int | None = None) -> Callable[[], None]:
    """For `Popen(preexec_fn=...)`. The user changes first: changing it would clear the death signal."""
    parent = os.getpid()

    def before_exec() -> None:
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        tie_to_parent(death_signal, parent=parent)

    return before_exec


# Loaded here because loading a library between fork and exec is not safe.
if sys.platform.startswith("linux"):
    _prctl = ctypes.CDLL(None, use_errno=True).prctl
