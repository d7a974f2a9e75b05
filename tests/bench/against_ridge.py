#!/usr/bin/env python3
"""Trains models by the recipe on every public data set and holds them against the ridge regression of backtest.

    tests/bench/against_ridge.py build/release DATA                    # all sets, one seed
    tests/bench/against_ridge.py build/release DATA --sets taylor,air

DATA as tests/e2e/real_series.py takes it. A set is one table, whose columns are its series; 70 % of its rows are
learnt from, 10 % choose and are then learnt from too (--refit), as the ridge does. The last 20 % are forecast, one pass
with the state carried on, at steps up to a tenth of these rows, at most --horizon. Prints the model's squared and
absolute error over those of the ridge, of steps up to 1, a quarter, a half and all of the horizon: at most 1.01 is
asked for. A set that is too short for the recipe says so.
"""
import argparse
import csv
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import real_series  # noqa: E402

MERGED = ("air", "beijing")  # sets that real_series writes column by column
ASKED = 1.01


def tables(data):
    """(name, {column: {row: cell}}) of each set."""
    sources = (real_series.motes, real_series.beijing, real_series.air, real_series.exchange, real_series.classics,
               real_series.nab)
    merged = {}
    for name, streams in itertools.chain.from_iterable(source(data) for source in sources):
        columns = {key: cells if isinstance(cells, dict) else dict(enumerate(cells)) for key, cells in streams.items()}
        group = name.split("-")[0]
        if group in MERGED:
            merged.setdefault(group, {}).update(columns)
        else:
            yield name, columns
    yield from merged.items()


def write(path, columns):
    rows = 1 + max(max(cells) for cells in columns.values())
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["row", *(f"series{c}" for c in range(len(columns)))])
        for row in range(rows):
            out.writerow([row, *(cells.get(row, "") for cells in columns.values())])
    return rows


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])


def ratios(arguments, table, rows, folder):
    """[(steps, MSE ratio, MAE ratio)] and the share within the 80 % interval."""
    horizon = max(1, min(arguments.horizon, rows // 50))
    learnt = rows * 8 // 10
    models, answer = folder / "models", folder / "backtest.json"
    common = ["--interval", "1s"]
    run(arguments.tidegate, "train", table, "--config", arguments.config, "--rows", f"0:{learnt}", "--validation", 0.125,
        "--horizon", horizon, "--seed", arguments.seed, "--name", "ridge", "--output", models, "--refit", *common)
    version = max((models / "ridge").iterdir(), key=lambda path: int(path.name))
    steps = sorted({1, max(1, horizon // 4), max(1, horizon // 2), horizon})
    run(arguments.tidegate, "backtest", version, table, "--from", learnt, "--horizons", ",".join(map(str, steps)), "--json",
        answer, *common)
    found = json.loads(answer.read_text())["horizons"]
    lines = []
    for one in found:
        model, linear = one["errors"]["model"], one["errors"].get("linear")
        if linear is None:
            raise RuntimeError("too short for the ridge regression")
        lines.append((one["steps"], model["mse"] / linear["mse"], model["mae"] / linear["mae"]))
    return lines, found[-1]["errors"]["model"]["coverage"], found[-1]["origins"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--sets", default="", help="only those that begin so, separated by commas")
    parser.add_argument("--horizon", type=int, default=96, help="at most (default: 96)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--config", default="clients/recipes/channels.ini")
    arguments = parser.parse_args()
    arguments.tidegate = arguments.build / "clients/cli/tidegate"
    worse = 0
    for name, columns in tables(arguments.data):
        if arguments.sets and not name.startswith(tuple(arguments.sets.split(","))):
            continue
        with tempfile.TemporaryDirectory() as temporary:
            table = pathlib.Path(temporary) / f"{name}.csv"
            rows = write(table, columns)
            try:
                lines, coverage, origins = ratios(arguments, table, rows, pathlib.Path(temporary))
            except RuntimeError as why:
                print(f"{name:40} {rows:6} rows: {why}", flush=True)
                continue
        worse += any(max(mse, mae) > ASKED for _, mse, mae in lines)
        print(f"{name:40} {rows:6} rows: " + "  ".join(f"{steps}: {mse:.3f} {mae:.3f}" for steps, mse, mae in lines) +
              f"  in 80 %: {100 * coverage:.1f} % of {origins} origins", flush=True)
    print(f"{worse} sets with a ratio above {ASKED}")


if __name__ == "__main__":
    main()
