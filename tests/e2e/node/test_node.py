"""The MCP inspector and the conformance suite of the protocol's own project, against a running stack."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests.stack import Stack

pytestmark = pytest.mark.xdist_group("e2e")

INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
# Later versions want a newer Node.
CONFORMANCE = "@modelcontextprotocol/conformance@0.1.11"
SCENARIOS = (
    "server-initialize",
    "ping",
    "tools-list",
    "resources-list",
    "logging-set-level",
    "dns-rebinding-protection",
)


def npx(package: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Skips loudly where the package cannot be had: that says nothing about us."""
    if shutil.which("npx") is None:
        pytest.skip("SKIPPED LOUDLY: npx is missing, Node's own MCP programs cannot run")
    try:
        done = subprocess.run(["npx", "--yes", package, *words], capture_output=True, text=True, timeout=100)
    except subprocess.TimeoutExpired:
        pytest.skip(f"SKIPPED LOUDLY: {package} did not install and run within 100 s")
    if done.returncode != 0 and "npm error" in done.stderr:
        pytest.skip(f"SKIPPED LOUDLY: {package} cannot be installed: {done.stderr[-300:]}")
    return done


def test_the_inspector_lists_and_calls(stack: Stack) -> None:
    base = ["--cli", f"{stack.url}/mcp", "--transport", "http", "--method"]
    listed = npx(INSPECTOR, *base, "tools/list")
    assert listed.returncode == 0, listed.stderr
    assert "rag_search_knowledge_base" in {tool["name"] for tool in json.loads(listed.stdout)["tools"]}
    called = npx(INSPECTOR, *base, "tools/call", "--tool-name", "health_check")
    assert json.loads(called.stdout)["structuredContent"]["ready"] is True


def test_the_conformance_suite_passes(stack: Stack) -> None:
    """Its other scenarios ask for tools of its own."""
    for scenario in SCENARIOS:
        judged = npx(CONFORMANCE, "server", "--url", f"http://localhost:{stack.port}/mcp", "--scenario", scenario)
        assert judged.returncode == 0, judged.stdout
        assert ", 0 failed" in judged.stdout, judged.stdout
