#!/usr/bin/env python3
"""Trains one model by the recipe on the 414 hourly series of the M4 competition and scores its 48 steps.

    tests/bench/m4_hourly.py build/release DATA

DATA holds m4_hourly/Hourly-train.csv.gz and Hourly-test.csv.gz (Mcompetitions/M4-methods). The series are columns of one
table that end together. A tenth of the training rows chooses and is then learnt from too (--refit). Printed are sMAPE and
MASE, means over the series, and OWA, the mean of their ratios to those of Naive 2 as the competition published them; the
same of a season ago, which makes 13.912, 1.193 and 0.628.
"""
import argparse
import csv
import gzip
import json
import pathlib
import subprocess
import tempfile

HORIZON = 48
NAIVE_2 = {"smape": 18.383, "mase": 2.395}  # Makridakis et al. 2020, hourly


def series(path):
    with gzip.open(path, "rt") as file:
        return {row[0]: [cell for cell in row[1:] if cell] for row in list(csv.reader(file))[1:]}


def write(data, table):
    """Returns the rows before the test part."""
    learnt, test = (series(data / "m4_hourly" / f"Hourly-{part}.csv.gz") for part in ("train", "test"))
    longest = max(map(len, learnt.values()))
    columns = [[""] * (longest - len(learnt[name])) + learnt[name] + test[name] for name in learnt]
    with table.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["row", *learnt])
        out.writerows([row, *cells] for row, cells in enumerate(zip(*columns)))
    return longest


def run(program, *arguments):
    subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--config", default="clients/recipes/channels.ini")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    tidegate = arguments.build / "clients/cli/tidegate"
    with tempfile.TemporaryDirectory() as temporary:
        table, models, answer = (pathlib.Path(temporary) / name for name in ("m4.csv", "models", "answer.json"))
        learnt = write(arguments.data, table)
        run(tidegate, "train", table, "--config", arguments.config, "--rows", f"0:{learnt}", "--validation", 0.1, "--horizon",
            HORIZON, "--interval", "1h", "--seed", arguments.seed, "--refit", "--name", "m4", "--output", models)
        run(tidegate, "backtest", models / "m4/1", table, "--from", learnt, "--horizons", HORIZON, "--interval", "1h", "--season",
            24, "--json", answer)
        found = json.loads(answer.read_text())["horizons"][-1]["errors"]
    for name in ("model", "season_ago", "linear"):
        smape, mase = found[name]["smape_percent"], found[name]["mase"]
        owa = (smape / NAIVE_2["smape"] + mase / NAIVE_2["mase"]) / 2
        print(f"{name:12} sMAPE {smape:7.3f} %  MASE {mase:6.3f}  OWA {owa:.3f}")


if __name__ == "__main__":
    main()
