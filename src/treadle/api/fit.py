"""`treadle.fit`: one door for data and for modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.errors import OptionError

if TYPE_CHECKING:
    from treadle.api.run import Run


def fit(data: Any, second: Any = None, /, **options: Any) -> Run:
    """Train a model and return its run.

    fit("customers.csv", target="left")                    a table, a folder of photos, events
    fit(frame, target="left")                              pandas, polars, Arrow, dict of arrays
    fit(module, (x, y), loss="cross_entropy")              your own torch module and data
    fit(module, "big.parquet", target="y", loss="mean_squared_error", memory="2 GB")

    Options for data are those of `treadle fit` (api/options.py); for a module, those of
    ModuleOptions (api/module_options.py).

    Raises: UserError and its kinds for a mistake, with what to do; Interrupted on Ctrl-C, with a
    resumable run left behind.
    """
    from treadle.api.fit_data import are_paths

    if second is None and are_paths(data):
        return _fit_data(list(data) if isinstance(data, (list, tuple)) else [data], options)
    if not callable(data) or not hasattr(data, "state_dict"):
        if second is not None:
            raise OptionError(
                f"fit was given a {type(data).__name__} and a {type(second).__name__}.",
                "With two, the first is a torch module: fit(module, data, loss=…). Name the column "
                "to predict: fit(data, target=…).",
            )
        return _fit_data(data, options)
    if second is None:
        raise OptionError("fit was given a module and no data.", "fit(module, (x, y), loss=…)")
    from treadle.api.fit_module import fit_module
    from treadle.api.module_options import ModuleOptions

    return fit_module(data, second, ModuleOptions.of(options))


def _fit_data(data: Any, options: dict[str, Any]) -> Run:
    from treadle.api.fit_data import fit_data
    from treadle.api.options import FitOptions

    observer = options.pop("observer", None)
    resume = options.pop("resume", False)
    frame = None
    if isinstance(data, list):
        options["data"] = tuple(str(path) for path in data)
    else:
        frame = data
    return fit_data(FitOptions.of(options), frame=frame, resume=resume, observer=observer)
