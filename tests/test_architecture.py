"""Rules of the house that import-linter cannot see: who may name a foreign library, a call or the environment."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("archon", "crawler", "knowledge", "progress")
DJANGO_SETTINGS = "DJANGO_SETTINGS_MODULE"
CRAWL4AI_VARIABLES = {"CRAWL4_AI_BASE_DIRECTORY", "CRAWL4AI_NO_CLOUD_NOTICE"}
MAY_SET = {
    "manage.py": {DJANGO_SETTINGS},
    "archon/asgi.py": {DJANGO_SETTINGS},
    "archon/celery.py": {DJANGO_SETTINGS, "CELERY_SKIP_CHECKS"},
    "archon/web.py": {DJANGO_SETTINGS},
    "crawler/fetcher.py": CRAWL4AI_VARIABLES,
}
MAY_READ = {"archon/env.py", "archon/settings.py"}
ENVIRONMENT_NAMES = {"environ", "environb", "getenv", "putenv", "unsetenv"}
HEAVY = ("crawl4ai", "openai", "onnxruntime", "litellm", "playwright", "torch")
# What each process of a stack at rest must do without, once it has loaded what it serves with: the goal is 600 MB.
NOT_AT_REST = {
    "web": (*HEAVY, "numpy", "tokenizers", "lxml", "mcp", "html_to_markdown", "snowballstemmer", "prompt_toolkit"),
    "worker": ("onnxruntime", "tokenizers", "openai", "ninja", "mcp", "patchright", "prompt_toolkit", "archon.urls"),
    "beat": ("numpy", "ninja", "django.db.models", "django.forms", "prompt_toolkit"),
    "supervisor": ("django", "celery", "kombu", "redis.client", "ssl", "asyncio"),
}
LOADED = {
    "web": "import archon.web, archon.asgi; from django.urls import get_resolver; get_resolver().url_patterns",
    "worker": """
import archon.embedded.worker as worker
worker.app.loader.init_worker()
from celery.apps.worker import Worker
from crawler.tasks import load_engine
load_engine()""",
    "beat": "import archon.embedded.beat, celery.apps.beat, kombu.transport.redis",
    "supervisor": "import archon.embedded.watch",
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the product, by its path from the root."""
    paths = [ROOT / "manage.py"]
    for app in APPS:
        paths += [path for path in (ROOT / app).rglob("*.py") if "node_modules" not in path.parts]
    for path in paths:
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
            yield from (str(part.value) for part in node.args if isinstance(part, ast.Constant))


def called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_only_the_strategies_import_crawl4ai() -> None:
    importers = {path for path, tree in modules() if any(name.split(".")[0] == "crawl4ai" for name in imported(tree))}
    assert importers == {"crawler/strategies.py"}


def test_only_publish_sends_to_groups() -> None:
    senders = {
        path
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "group_send"
    }
    assert senders == {"progress/publish.py"}


def test_only_settings_and_env_read_the_environment() -> None:
    for path, tree in modules():
        if path in MAY_READ:
            continue
        set_here = [
            node.args[0].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and ast.unparse(node.func) == "os.environ.setdefault"
            and isinstance(node.args[0], ast.Constant)
        ]
        named = [node for node in ast.walk(tree) if names_environment(node)]
        assert set(set_here) <= MAY_SET.get(path, set()), path
        assert len(named) == len(set_here), f"{path} reads the environment; add a setting in archon/settings.py"


def names_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in ENVIRONMENT_NAMES and ast.unparse(node.value) == "os"
    return (
        isinstance(node, ast.ImportFrom)
        and node.module == "os"
        and any(alias.name in ENVIRONMENT_NAMES for alias in node.names)
    )


def test_whoever_asks_is_named_at_every_call() -> None:
    """A viewer that may be left out is one that is left out, and then a stranger sees what the operator sees."""
    left_out = []
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                left_out += [f"{name}: {node.name}" for default in defaulted(node.args) if default == "viewer"]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "viewer":
                given = node.value is None or "kw_only=True" in ast.unparse(node.value)
                left_out += [] if given else [f"{name}: {ast.unparse(node)}"]
    assert not left_out


def defaulted(arguments: ast.arguments) -> Iterator[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    for one in positional[len(positional) - len(arguments.defaults) :] if arguments.defaults else ():
        yield one.arg
    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield one.arg


def test_the_clock_loads_no_app_and_knows_every_task_that_its_schedule_names() -> None:
    code = """
import sys
from archon.beat import app
app.loader.init_worker()
app.finalize()
import celery.apps.beat
loaded = [name for name in sys.modules if name.split(".")[0] in ("crawler", "knowledge", "numpy", "ninja", "axes")]
loaded += [name for name in sys.modules if name.endswith(".models") and name.startswith(("archon", "progress"))]
assert not loaded, loaded
import django
django.setup()
from archon.celery import app as worker
worker.loader.import_default_modules()
unknown = {entry["task"] for entry in app.conf.beat_schedule.values()} - set(worker.tasks)
assert not unknown, unknown
"""
    environment = {**os.environ, DJANGO_SETTINGS: "archon.settings"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("process", LOADED)
def test_a_process_at_rest_has_not_loaded_what_it_seldom_needs(process: str, tmp_path: Path) -> None:
    code = f"import sys\n{LOADED[process]}\nprint([name for name in {NOT_AT_REST[process]!r} if sys.modules.get(name)])"
    environment = {**os.environ, "ARCHON_DATA_DIR": str(tmp_path), DJANGO_SETTINGS: "archon.settings"}
    command = [sys.executable, "-W", "error", "-c", code]
    found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (found.returncode, found.stdout.strip()) == (0, "[]"), found.stderr


@pytest.mark.parametrize("entry", ["archon.asgi", "archon.web"])
def test_the_web_process_does_not_load_the_heavy_libraries(entry: str) -> None:
    code = f"import sys, {entry}; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, env={**os.environ}, capture_output=True, text=True
    )
    assert (found.returncode, found.stdout.strip()) == (0, "[]"), found.stderr
