"""`treadle fit` and `treadle resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from treadle.cli import terminal

Data = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DATA",
        help="CSV, TSV, JSON lines, Parquet or .xlsx files; a folder of images; a file of events.",
        show_default=False,
    ),
]
VALUES = {
    **dict.fromkeys(("--target", "--ignore", "--weight", "--time", "--group"), "COLUMN"),
    **dict.fromkeys(("--user", "--item", "--event"), "COLUMN"),
    **dict.fromkeys(("--validation", "--test", "--corrections", "--items"), "FILE"),
    **dict.fromkeys(("--metric", "--sheet", "--schedule", "--track"), "NAME"),
    **dict.fromkeys(("--lr", "--batch-size", "--threads", "--seed", "--unfreeze"), "NUMBER"),
    "--worth": "NUMBER",
    "--deep": "",
    "--photos": "FOLDER",
    "--positive": "VALUE",
    "--cost": "COSTS",
    **dict.fromkeys(("--capacity", "--volume", "--machine-cost"), "RATE"),
    "--watts": "NUMBER",
    "--kind": "KIND",
    "--model": "MODEL",
    **dict.fromkeys(("--label-delay", "--tune"), "TIME"),
    "--until": "WORDS",
    "--start-from": "RUN",
    "--device": "DEVICE",
    "--precision": "PRECISION",
    "--engine": "ENGINE",
}
WhatToLearn = "What to learn"
HowToSplit = "How to split"
Events = "Events"
HowToTrain = "How to train"


def _option(name: str, *, help: str, panel: str) -> Any:
    """Return an option that says what goes with it (--target COLUMN) rather than its type."""
    value = VALUES.get(name)
    return typer.Option(name, help=help, rich_help_panel=panel, show_default=False, metavar=value)


def fit(
    data: Data = None,
    target: Annotated[
        str | None, _option("--target", help="The column to predict.", panel=WhatToLearn)
    ] = None,
    positive: Annotated[
        str | None,
        _option(
            "--positive",
            help="Of two classes, the one you look for. Guessed: the rarer.",
            panel=WhatToLearn,
        ),
    ] = None,
    kind: Annotated[
        str | None,
        _option("--kind", help="table, images or events. Guessed and said.", panel=WhatToLearn),
    ] = None,
    metric: Annotated[
        str | None,
        _option(
            "--metric",
            help="What decides which model is best: scikit-learn's names, hit@k, ndcg@k.",
            panel=WhatToLearn,
        ),
    ] = None,
    cost: Annotated[
        str | None,
        _option(
            "--cost",
            help='What mistakes cost: "missed=500 false_alarm=5"; a cost may be a column.',
            panel=WhatToLearn,
        ),
    ] = None,
    capacity: Annotated[
        str | None,
        _option("--capacity", help='How many can be looked at: "200 a day".', panel=WhatToLearn),
    ] = None,
    volume: Annotated[
        str | None,
        _option(
            "--volume", help='How many cases there are: "2 million a year".', panel=WhatToLearn
        ),
    ] = None,
    machine_cost: Annotated[
        str | None,
        _option(
            "--machine-cost", help='What this machine costs: "0.20 an hour".', panel=WhatToLearn
        ),
    ] = None,
    watts: Annotated[
        float | None,
        _option("--watts", help="What this machine draws; energy is estimated.", panel=WhatToLearn),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        _option("--ignore", help="A column to leave out; may be repeated.", panel=WhatToLearn),
    ] = None,
    corrections: Annotated[
        str | None,
        _option(
            "--corrections",
            help="Answers put right: the label_errors.csv of check --deep, filled in.",
            panel=WhatToLearn,
        ),
    ] = None,
    weight: Annotated[
        str | None,
        _option("--weight", help="A column that says how much each row counts.", panel=WhatToLearn),
    ] = None,
    sheet: Annotated[
        str | None, _option("--sheet", help="Which sheet of an .xlsx file.", panel=WhatToLearn)
    ] = None,
    photos: Annotated[
        str | None,
        _option(
            "--photos",
            help="Images: the folder of the photos that a CSV names (its own).",
            panel=WhatToLearn,
        ),
    ] = None,
    validation: Annotated[
        list[str] | None,
        _option("--validation", help="A file to validate on.", panel=HowToSplit),
    ] = None,
    test: Annotated[
        list[str] | None, _option("--test", help="A file to test on, once.", panel=HowToSplit)
    ] = None,
    time: Annotated[
        str | None,
        _option(
            "--time",
            help="A column of times: learn from the past, test on what came later.",
            panel=HowToSplit,
        ),
    ] = None,
    group: Annotated[
        str | None,
        _option(
            "--group",
            help="A column (or a file-name pattern) whose rows must stay together.",
            panel=HowToSplit,
        ),
    ] = None,
    label_delay: Annotated[
        str | None,
        _option(
            "--label-delay",
            help='How long a label takes to arrive, e.g. "7 days".',
            panel=HowToSplit,
        ),
    ] = None,
    user: Annotated[
        str | None, _option("--user", help="The column of users.", panel=Events)
    ] = None,
    item: Annotated[
        str | None, _option("--item", help="The column of items.", panel=Events)
    ] = None,
    event: Annotated[
        str | None, _option("--event", help="The column of event kinds.", panel=Events)
    ] = None,
    items: Annotated[
        str | None,
        _option(
            "--items", help="A file that says what the items are called: item, title.", panel=Events
        ),
    ] = None,
    until: Annotated[
        str | None,
        _option(
            "--until",
            help='When to stop: "50 epochs or 10 minutes or roc_auc >= 0.9".',
            panel=HowToTrain,
        ),
    ] = None,
    worth: Annotated[
        float | None,
        _option(
            "--worth",
            help="End training where going on would improve the metric by less than this.",
            panel=HowToTrain,
        ),
    ] = None,
    tune: Annotated[
        str | None,
        _option(
            "--tune",
            help='Tables: try other settings too, "30 minutes" for all of it.',
            panel=HowToTrain,
        ),
    ] = None,
    model: Annotated[
        str, _option("--model", help="Tables: auto, neural or trees.", panel=HowToTrain)
    ] = "auto",
    deep: Annotated[
        bool,
        _option(
            "--deep",
            help="Look at the data in depth after training, as check --deep does.",
            panel=HowToTrain,
        ),
    ] = False,
    start_from: Annotated[
        str | None,
        _option(
            "--start-from", help="An earlier run whose weights to start from.", panel=HowToTrain
        ),
    ] = None,
    lr: Annotated[
        str | None,
        _option(
            "--lr",
            help="The learning rate; auto: look for it by short trainings first.",
            panel=HowToTrain,
        ),
    ] = None,
    batch_size: Annotated[
        int | None, _option("--batch-size", help="Rows in a batch.", panel=HowToTrain)
    ] = None,
    schedule: Annotated[
        str | None,
        _option(
            "--schedule",
            help="constant, cosine, one-cycle, warmup-stable-decay, held, plateau.",
            panel=HowToTrain,
        ),
    ] = None,
    unfreeze: Annotated[
        int,
        _option(
            "--unfreeze", help="Images: train the backbone's last blocks too.", panel=HowToTrain
        ),
    ] = 0,
    device: Annotated[
        str, _option("--device", help="auto, cpu or cuda.", panel=HowToTrain)
    ] = "auto",
    precision: Annotated[
        str, _option("--precision", help="float32 or bf16.", panel=HowToTrain)
    ] = "float32",
    threads: Annotated[
        int | None, _option("--threads", help="Processor threads.", panel=HowToTrain)
    ] = None,
    engine: Annotated[
        str,
        _option(
            "--engine",
            help="auto, eager or compiled: whether a step becomes one piece of native code.",
            panel=HowToTrain,
        ),
    ] = "auto",
    seed: Annotated[
        int,
        _option("--seed", help="Another number gives another split and start.", panel=HowToTrain),
    ] = 0,
    save_every: Annotated[
        float,
        _option("--save-every", help="Seconds of work a crash may cost.", panel=HowToTrain),
    ] = 60.0,
    track: Annotated[
        list[str] | None,
        _option("--track", help="Send curves to tensorboard, mlflow or wandb.", panel=HowToTrain),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A JSON file of options, by their names here.")
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="The run folder. By default a new one below runs/.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run that is in --out already.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Train a model on your data, and say in plain words how good it is."""
    given = {name: value for name, value in locals().items() if name not in ("config", "json")}
    from treadle.api.fit_data import fit_data
    from treadle.api.options import FitOptions

    options = FitOptions.of(_with_config(given, config))
    with terminal.Display() as display:
        run = fit_data(options, observer=display.observer)
    terminal.say_result(run.result, run.path, as_json=json)


def resume(
    run: Annotated[Path, typer.Argument(help="The run folder.", show_default=False)],
    until: Annotated[
        str | None, typer.Option(help="Go on longer than was asked at first.", show_default=False)
    ] = None,
    module_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="For your own module: FILE.py:FUNCTION that calls treadle.fit(…, resume=True).",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="Where the data lies now, if it was moved.", show_default=False),
    ] = None,
    not_exact: Annotated[
        bool,
        typer.Option("--not-exact", help="Go on although versions, threads or code have changed."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Go on with a run that was stopped or killed, exactly where its last checkpoint stands."""
    from treadle.api.resume import resume as resume_run

    with terminal.Display() as display:
        found = resume_run(
            run,
            until=until,
            module_from=module_from,
            data=data or (),
            not_exact=not_exact,
            observer=display.observer,
        )
    terminal.say_result(found.result, found.path, as_json=json)


def _with_config(given: dict[str, Any], config: Path | None) -> dict[str, Any]:
    """Return the options of a JSON file, with what was given on the command line above them."""
    if config is None:
        return given
    import json

    from treadle.api.options import FitOptions
    from treadle.errors import OptionError

    example = 'It is JSON, e.g. {"target": "price", "until": "10 minutes"}.'
    try:
        written = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"--config {config} could not be read: {error}.", example) from error
    if not isinstance(written, dict):
        raise OptionError(f"--config {config} holds no JSON object.", example)
    written = {str(name).replace("-", "_"): value for name, value in written.items()}
    usual = {name: field.default for name, field in FitOptions.model_fields.items()}
    said = {name: value for name, value in given.items() if value not in (None, [], usual[name])}
    return {**given, **written, **said}
