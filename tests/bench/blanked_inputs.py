#!/usr/bin/env python3
"""What missing readings cost a forecast.

Replays a file through a model as it is, and with a share of the values in its test rows blanked at random;
both forecasts are scored on the values that are there. Prints both errors and ends with exit code 1 if
blanking costs more than --limit of the mean squared error.

    tests/bench/blanked_inputs.py build/release/clients/cli/tidegate models/etth1/1 ETTh1.csv --rows 14400 --from 11520
"""
import argparse
import csv
import json
import pathlib
import random
import subprocess
import sys
import tempfile


def blank(rows, first, share, seed):
    """`rows` without a random share of the values from row `first` on; the time in the first column stays."""
    draw = random.Random(seed)
    return [
        row if number < first else row[:1] + ["" if draw.random() < share else value for value in row[1:]]
        for number, row in enumerate(rows)
    ]


def errors(arguments, header, rows, folder):
    """The model's mean squared and mean absolute error at its longest horizon."""
    table, answer = folder / "readings.csv", folder / "backtest.json"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    subprocess.run(
        [arguments.tidegate, "backtest", arguments.model, table, "--from", str(arguments.first), "--json", answer],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    found = json.loads(answer.read_text())["horizons"][-1]["errors"]["model"]
    return found["mse"], found["mae"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tidegate")
    parser.add_argument("model")
    parser.add_argument("csv", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=None, help="so many of the file's rows")
    parser.add_argument("--from", dest="first", type=int, required=True, help="first row of the test part")
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--limit", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with arguments.csv.open(newline="") as file:
        header, *rows = csv.reader(file)
    rows = rows[: arguments.rows]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        whole = errors(arguments, header, rows, folder)
        gaps = errors(arguments, header, blank(rows, arguments.first, arguments.share, arguments.seed), folder)
    cost = gaps[0] / whole[0] - 1
    print(f"all values              MSE {whole[0]:.4f}  MAE {whole[1]:.4f}")
    print(f"{arguments.share:4.0%} of them blanked    MSE {gaps[0]:.4f}  MAE {gaps[1]:.4f}")
    print(f"costs {cost:.1%} of the squared error; limit {arguments.limit:.0%}")
    return cost > arguments.limit


if __name__ == "__main__":
    sys.exit(main())
