"""What a reviewer would say about any file, said by a test."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {"var", "staticfiles", "node_modules"}
TEXT = {".py", ".md", ".html", ".js", ".css", ".yml", ".yaml", ".toml", ".txt", ".sh", ".sql", ".lua", ".conf"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
UNFINISHED = re.compile("|".join([r"\bTO" r"DO\b", r"\bFIX" r"ME\b", r"\bXX" r"X\b", r"\bHA" r"CK\b"]))
ONE_MACHINE = re.compile(r"(?<![\w.}])/(work|farm|root|home|Users|tmp)/")


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    """Every text file of ours by its path."""
    return {path: path.read_text(encoding="utf-8") for path in _files()}


@pytest.fixture(scope="module")
def sources(texts) -> dict[Path, str]:
    return {path: text for path, text in texts.items() if path.suffix == ".py"}


def _files() -> Iterator[Path]:
    tops = [top for top in ROOT.iterdir() if not top.name.startswith(".") and top.name not in NOT_OURS]
    for path in [ROOT / ".ci" / "run", *tops, *(path for top in tops for path in top.rglob("*"))]:
        if path.is_file() and (path.suffix in TEXT or path.name in {"Makefile", "Dockerfile", "run"}):
            yield path


def test_files_are_short(sources):
    assert not {path: n for path, text in sources.items() if (n := text.count("\n")) > MAX_FILE_LINES}


def test_functions_are_short(sources):
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path, source in sources.items()
        for node in ast.walk(ast.parse(source, str(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert not long


@pytest.mark.parametrize("pattern", [UNFINISHED, ONE_MACHINE], ids=["unfinished", "one machine"])
def test_no_file_has_marks_of(texts, pattern):
    lines = [(path, n, line) for path, text in texts.items() for n, line in enumerate(text.splitlines(), start=1)]
    assert not [f"{path}:{n}: {line}" for path, n, line in lines if pattern.search(line)]


def test_dependencies_are_pinned_and_each_has_a_reason():
    lines = "\n".join(path.read_text() for path in ROOT.glob("requirements*.txt")).splitlines()
    requirements = [line for line in lines if line and not line.startswith(("#", "-r "))]
    pinned = [re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?==[\w.]+(?:; .+)?", line) for line in requirements]
    assert None not in pinned, "expected name==version"
    page = (ROOT / "docs" / "dependencies.md").read_text()
    reasons = re.findall(r"^\| (?!package|---)([\w.-]+) \| [^|\s]", page, re.MULTILINE)
    assert sorted(reasons) == sorted(match[1] for match in pinned if match)


def test_links_between_pages_lead_somewhere(texts):
    pages = {path: text for path, text in texts.items() if path.suffix == ".md"}
    links = [(page, link) for page, text in pages.items() for link in re.findall(r"\]\(([^)#\s]+)", text)]
    assert not [(page, link) for page, link in links if "://" not in link and not (page.parent / link).exists()]


def test_every_make_command_that_is_mentioned_exists(texts):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    mentioned = {name for text in texts.values() for name in re.findall(r"(?:^|`)make ([a-z]+)\b", text, re.MULTILINE)}
    assert mentioned <= targets
