"""Transfer: an earlier run's weights as the start of a new one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from treadle.errors import RunError
from treadle.folder import RunFolder
from treadle.tensors import MAY_HOLD_CODE, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn


def weights_file(earlier: Path | str, name: str = "weights.safetensors") -> Path:
    """Return the file of an earlier run's best weights.

    Raises: RunError when there is no run, or it keeps no such weights.
    """
    path = Path(earlier)
    if path.suffix == ".safetensors" and path.is_file():
        return path
    if path.suffix.lower() in MAY_HOLD_CODE and path.is_file():
        raise RunError(
            f"{path} is not read: files that end in {path.suffix} may hold code beside weights.",
            "Let whoever made it save the weights as .safetensors, which hold numbers alone.",
        )
    file = RunFolder.open(path).path / "model" / name
    if file.is_file():
        return file
    kept = sorted(p.name for p in file.parent.glob("*.safetensors"))
    raise RunError(
        f"the run at {path} has no {name} to start from.",
        f"It keeps {', '.join(kept)}." if kept else "It was not finished: resume it first.",
    )


def take_weights(module: nn.Module, earlier: Path | str, name: str = "weights.safetensors") -> str:
    """Copy every weight of an earlier run that fits by name and shape; return the sentence on it.

    Raises: RunError when nothing fits.
    """
    return take_tensors(module, read_tensors(weights_file(earlier, name), finite=True), earlier)


def take_tensors(module: nn.Module, found: dict[str, Tensor], earlier: Path | str) -> str:
    """Copy the tensors that fit a module by name and shape; return the sentence on it.

    Raises: RunError when nothing fits.
    """
    own = module.state_dict()
    fitting = {n: t for n, t in found.items() if n in own and own[n].shape == t.shape}
    if not fitting:
        raise RunError(
            f"none of the {len(found)} weights of {earlier} fits this model by name and shape.",
            "Start from a run of the same kind of model on data of the same columns.",
        )
    module.load_state_dict(fitting, strict=False)
    return _sentence(fitting, own, earlier)


def _sentence(fitting: dict[str, Tensor], own: dict[str, Tensor], earlier: Path | str) -> str:
    taken = sum(t.numel() for t in fitting.values())
    total = sum(t.numel() for t in own.values())
    anew = [name for name in own if name not in fitting]
    rest = f" Learned anew: {', '.join(anew[:5])}{' …' if len(anew) > 5 else ''}." if anew else ""
    return (
        f"started from {earlier}: {taken:,} of {total:,} weights ({taken / total:.0%}) were "
        f"learned already and need not be learned again.{rest}"
    )
