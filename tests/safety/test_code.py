"""What the code may not do at all: run what a file says, unpack what it names, call the network.

The names are searched in the syntax of every source file, so that a word in a text is no finding.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "treadle"
MODULES = {  # never imported: what runs or unpickles content, and what calls other machines
    *("pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "runpy"),
    *("code", "imp", "zipimport", "tarfile", "socket", "ssl", "urllib", "http", "requests"),
    *("httpx", "aiohttp", "ftplib", "smtplib", "telnetlib", "xmlrpc", "webbrowser"),
    *("huggingface_hub", "multiprocessing", "concurrent.futures.process"),
}
CALLS = {  # the last part of what is called
    *("exec_module", "import_module", "extractall", "unpack_archive", "read_pickle", "to_pickle"),
    *("load_state_dict_from_url", "download_url_to_file", "urlopen", "fromfile"),
    *("system", "popen", "Popen", "CDLL", "PyDLL", "LoadLibrary", "load_library", "fork", "execv"),
}
WHOLE = {  # all of what is called; a module's own eval() and re.compile() are others
    *("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec"),
    *("torch.jit.load", "torch.hub.load", "np.load", "numpy.load", "yaml.load"),
    *("subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output"),
}
ALLOWED = {
    # its own part of a package, by a name from a list in the code
    ("__init__.py", "import_module"),
    ("sinks/__init__.py", "import_module"),
    ("models/vision.py", "import_module"),
    # a file that the user names with --from, never one that a run names
    ("api/resume.py", "exec_module"),
    # the C library of this very process, and a child that compiles
    ("capture/background.py", "CDLL"),
    ("capture/background.py", "fork"),
    # asks the compiler for its version
    ("api/engine.py", "run"),
}


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            yield ast.unparse(node.func), node


def forbidden(source: str, name: str = "x.py") -> list[str]:
    """Return what a source file does that none may."""
    tree = ast.parse(source)
    found = [word for word in imported(tree) if {word, word.split(".", maxsplit=1)[0]} & MODULES]
    for words, call in called(tree):
        last = words.rsplit(".", maxsplit=1)[-1]
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if words == "torch.load" and keywords.get("weights_only") != "True":
            found.append(words)
        if keywords.get("allow_pickle", "False") != "False" or keywords.get("shell") == "True":
            found.append(words)
        if (words in WHOLE or last in CALLS) and (name, last) not in ALLOWED:
            found.append(words)
    return found


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(SOURCE)))
def test_no_source_file_runs_unpacks_or_fetches(file: Path) -> None:
    name = file.relative_to(SOURCE).as_posix()
    assert forbidden(file.read_text(encoding="utf-8"), name) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import urllib.request",
        "from concurrent.futures.process import ProcessPoolExecutor",
        "import torch\ntorch.load('x.pt')",
        "torch.load('x.pt', weights_only=False)",
        "np.load('x.npy', allow_pickle=True)",
        "np.load('x.npy')",
        "yaml.load(text)",
        "archive.extractall(place)",
        "exec(text)",
        "subprocess.run('ls', shell=True)",
        "ctypes.CDLL(path)",
        "torch.hub.load('a/b', 'c')",
        "importlib.import_module(facts['module'])",
    ],
)
def test_the_search_finds_what_it_is_for(source: str) -> None:
    assert forbidden(source)


def test_every_exception_is_still_needed() -> None:
    needed = {
        (name, words.rsplit(".", maxsplit=1)[-1])
        for name in {name for name, _ in ALLOWED}
        for words, _ in called(ast.parse((SOURCE / name).read_text(encoding="utf-8")))
    }
    assert needed >= ALLOWED


def test_only_the_compilers_own_cache_is_loaded_as_code() -> None:
    """The one call that makes native code of a file looks at the file and its folder first."""
    loading = "AOTIModelContainerRunnerCpu"
    found = [file.name for file in files() if loading in file.read_text(encoding="utf-8")]
    assert found == ["package.py"]
