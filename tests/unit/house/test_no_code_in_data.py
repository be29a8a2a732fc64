"""Nothing in `device` reads a format that can hold code: no pickle, and no text that is run."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
FORMATS = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "joblib", "yaml", "code", "codeop"}
"""Modules that run code from the data that they read, or that exist to run text."""
CALLS = {"eval", "exec", "compile", "__import__"}
FEWEST_MODULES = 120


def trees() -> dict[Path, ast.Module]:
    paths = sorted((ROOT / "device").rglob("*.py"))
    assert len(paths) > FEWEST_MODULES
    return {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def unsafe(tree: ast.Module) -> list[str]:
    """Return the lines of a module that read a format that can hold code."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0]}
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            names = {name} & CALLS
            allowed = {word.arg: ast.unparse(word.value) for word in node.keywords}.get("allow_pickle", "False")
            if name in ("np.load", "numpy.load") and "allow_pickle" not in {word.arg for word in node.keywords}:
                names |= {"np.load without allow_pickle=False"}
            if allowed != "False":
                names |= {"allow_pickle"}
            found += [f"line {node.lineno}: {name}" for name in names]
            continue
        else:
            continue
        found += [f"line {node.lineno}: {name}" for name in names & FORMATS]
    return found


def test_the_device_reads_no_format_that_can_hold_code() -> None:
    found = [f"{path}, {line}" for path, tree in trees().items() for line in unsafe(tree)]
    assert not found, "\n".join(found)


def test_each_way_is_noticed() -> None:
    for text in (
        "import pickle",
        "from marshal import loads",
        "import numpy as np\nnp.load(path)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "eval(text)",
    ):
        assert unsafe(ast.parse(text)), text
    assert not unsafe(ast.parse("import numpy as np\nnp.load(path, allow_pickle=False)\nimport json"))
