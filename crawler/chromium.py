"""One Chromium process: found, started in its own process group, measured and killed.

It speaks the DevTools protocol over two inherited pipes and opens no port, since a debugging port asks nobody for a
password. When the pipes close it ends by itself; on Linux the kernel also kills it with its parent.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from progress.lifeline import tied_to_this_process

logger = logging.getLogger(__name__)

CHROMIUM_PIPES = (3, 4)  # where it reads and where it writes
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
START_SECONDS = 20.0
MAX_MESSAGE_BYTES = 64 * 2**20
PROFILE_PREFIX = "archon-chromium-"
NOBODY = 65534  # Chromium refuses its sandbox to root, so there it runs as nobody
FEATURES_OFF = (
    "AutofillServerCommunication",
    "CertificateTransparencyComponentUpdater",
    "DialMediaRouteProvider",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "Translate",
)
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-startup-window",
    "--no-pings",
    "--noerrdialogs",
    "--mute-audio",
    "--hide-scrollbars",
    "--use-mock-keychain",
    "--password-store=basic",
    "--block-new-web-contents",  # window.open and target=_blank open nothing
    "--deny-permission-prompts",
    "--blink-settings=imagesEnabled=false",
    "--disable-remote-fonts",
    "--js-flags=--max-old-space-size=512",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-file-system",
    "--disable-notifications",
    "--disable-prompt-on-repost",
    "--disable-sync",
    f"--disable-features={','.join(FEATURES_OFF)}",
    # What follows keeps its traffic on the proxy. Without <-loopback> Chromium goes to this machine directly.
    "--proxy-bypass-list=<-loopback>",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def find_chromium(configured: str) -> str | None:
    """The configured program, or the first on PATH under a known name; None when there is none."""
    if configured:
        return shutil.which(configured)
    return next((found for name in NAMES if (found := shutil.which(name))), None)


_WITHOUT_SANDBOX: set[str] = set()


class Chromium:
    """A running browser. `reader` and `writer` carry DevTools messages, each ended by a zero byte."""

    def __init__(self, process: subprocess.Popen[bytes], profile: Path) -> None:
        self._process = process
        self._profile = profile
        self.pid = process.pid
        self.reader: asyncio.StreamReader
        self.writer: asyncio.WriteTransport

    @classmethod
    async def start(cls, program: str, proxy: str) -> "Chromium":
        """Raises OSError. All traffic goes to `proxy`, which no page can change.

        Must be called on a thread that lives as long as the browser may: the kernel ties a child to the thread.
        """
        remove_stale_profiles()
        if program not in _WITHOUT_SANDBOX:
            try:
                return await cls._launch(program, proxy, sandbox=True)
            except OSError as error:  # containers often forbid what the sandbox is made of
                logger.warning("Chromium does not start with its sandbox, so it is tried without: %s", error)
        browser = await cls._launch(program, proxy, sandbox=False)
        _WITHOUT_SANDBOX.add(program)
        return browser

    @classmethod
    async def _launch(cls, program: str, proxy: str, *, sandbox: bool) -> "Chromium":
        uid = NOBODY if sandbox and os.geteuid() == 0 else None
        profile = Path(tempfile.mkdtemp(prefix=f"{PROFILE_PREFIX}{os.getpid()}-"))
        if uid is not None:
            os.chown(profile, uid, uid)
        flags = [*FLAGS, f"--proxy-server={proxy}", f"--user-data-dir={profile}"]
        if not sandbox:
            flags.append("--no-sandbox")
        try:
            with _pipes() as pipes, (profile / "stderr").open("wb") as errors:
                # Not asyncio's subprocess: the kernel ties the child to this thread, and it needs two more pipes.
                process = subprocess.Popen(  # noqa: ASYNC220
                    [program, *flags],
                    pass_fds=CHROMIUM_PIPES,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    cwd=profile,
                    # Nothing of ours: no secret of the worker's environment is of any use to a browser.
                    env={"HOME": str(profile), "TMPDIR": str(profile), "PATH": f"{os.defpath}:/usr/local/bin"},
                    start_new_session=True,
                    preexec_fn=pipes.before_exec(tied_to_this_process(signal.SIGKILL, uid=uid)),
                )
                ends = pipes.keep()
        except BaseException:
            shutil.rmtree(profile, ignore_errors=True)
            raise
        browser = cls(process, profile)
        try:
            await browser._connect(*ends)
        except BaseException:
            await browser.kill()
            raise
        return browser

    async def _connect(self, our_input: int, our_output: int) -> None:
        loop = asyncio.get_running_loop()
        self.reader = asyncio.StreamReader(limit=MAX_MESSAGE_BYTES)
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self.reader), os.fdopen(our_input, "rb", buffering=0)
        )
        self.writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(our_output, "wb", buffering=0))
        self.writer.write(b'{"id":1,"method":"Browser.getVersion"}\0')
        try:
            async with asyncio.timeout(START_SECONDS):
                await self.reader.readuntil(b"\0")
        except (asyncio.IncompleteReadError, TimeoutError, OSError) as error:
            raise OSError(f"Chromium did not start: {self._last_words()}") from error

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self._profile / "stderr").read_text(errors="replace").strip().splitlines()
            return lines[-1][-300:] if lines else "it said nothing"
        return "it said nothing"

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def memory(self) -> int:
        """Bytes that its processes hold for themselves alone; 0 when it is gone. Takes some milliseconds."""
        total = 0
        with contextlib.suppress(psutil.Error):
            leader = psutil.Process(self.pid)
            for process in (leader, *leader.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_full_info().uss
        return total

    async def kill(self) -> None:
        """At once, with all it started; returns when it is gone."""
        descendants = []
        with contextlib.suppress(psutil.Error):
            descendants = psutil.Process(self.pid).children(recursive=True)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in descendants:  # the zygotes' children may have left the group
            with contextlib.suppress(psutil.Error):
                process.kill()
        await asyncio.to_thread(self._process.wait)
        if hasattr(self, "writer"):
            self.writer.close()
        await asyncio.to_thread(shutil.rmtree, self._profile, ignore_errors=True)


class _Pipes:
    """Two pipes whose far ends a child finds at CHROMIUM_PIPES. Used from one thread, around one fork."""

    def __init__(self) -> None:
        self._spare: list[int] = []
        # Descriptors 3 and 4 must be taken here, or Popen would use one of them for itself and lose it below.
        while not self._spare or self._spare[-1] <= max(CHROMIUM_PIPES):
            self._spare.append(os.open(os.devnull, os.O_RDONLY))
        self._theirs_in, self._ours_out = os.pipe()
        self._ours_in, self._theirs_out = os.pipe()
        self._kept = False

    def before_exec(self, first: Callable[[], None]) -> Callable[[], None]:
        def enter() -> None:
            first()
            os.dup2(self._theirs_in, CHROMIUM_PIPES[0])
            os.dup2(self._theirs_out, CHROMIUM_PIPES[1])

        return enter

    def keep(self) -> tuple[int, int]:
        """Our ends, to read and to write; the caller's from now on."""
        self._kept = True
        return self._ours_in, self._ours_out

    def close(self) -> None:
        ours = [] if self._kept else [self._ours_in, self._ours_out]
        for end in (*self._spare, self._theirs_in, self._theirs_out, *ours):
            os.close(end)


@contextlib.contextmanager
def _pipes() -> Iterator[_Pipes]:
    pipes = _Pipes()
    try:
        yield pipes
    finally:
        pipes.close()


def remove_stale_profiles() -> None:
    """What browsers of killed workers left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PROFILE_PREFIX}*-*"):
        owner = folder.name.removeprefix(PROFILE_PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
