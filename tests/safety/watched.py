"""A whole life of a run, from fit to a resumed fit, in a process that writes down what it does.

Called by test_what_runs.py: python watched.py FOLDER. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

WATCHED = {
    *("pickle.find_class", "marshal.load", "marshal.loads", "exec", "open", "ctypes.dlopen"),
    *("import", "socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"),
    *("socket.gethostbyname", "urllib.Request", "subprocess.Popen", "os.system", "os.exec"),
    *("os.posix_spawn", "os.fork", "code.__new__", "webbrowser.open", "shutil.unpack_archive"),
}
seen: dict[str, set[str]] = {}


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in WATCHED:
        return
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, int):  # a file that was opened, and seen, already
            return
        writes = bool(flags & 3) if isinstance(flags, int) else "r" not in str(mode)
        word = f"{'write' if writes else 'read'} {path}"
    elif event == "exec":
        word = getattr(arguments[0], "co_filename", "?")
    elif event == "import":
        word = str(arguments[1] or "")
    else:
        word = " ".join(map(str, arguments[:2]))
    seen.setdefault(event, set()).add(word)


def live(folder: Path) -> None:
    """Fit, predict, report, explain, and resume a small run of each kind."""
    import treadle
    from treadle.api.predict import predict
    from treadle.api.resume import resume
    from treadle.report.page import write
    from treadle.report.words import explain

    data = {"table": "customers.csv", "images": "photos", "events": "purchases.csv"}
    asked = {"threads": 1, "engine": "eager", "until": "1 epoch"}
    for kind, name in data.items():
        more = {"table": {"target": "left"}, "images": {"cache": folder / "cache"}}.get(kind, {})
        run = treadle.fit(folder / name, out=folder / kind, **asked, **more)
        predict(run.path, [str(folder / name)], out=folder / f"{kind}.csv")
        write(run.path)
        assert explain(run.path)
        if kind != "images":  # there a cache of its own cannot be named
            resume(run.path, until="2 epochs")


if __name__ == "__main__":
    sys.addaudithook(watch)
    live(Path(sys.argv[1]))
    print(json.dumps({event: sorted(words) for event, words in seen.items()}))
