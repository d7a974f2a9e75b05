#!/usr/bin/env python3
"""Trains models by the recipe and scores them on the test part of public data sets, every window of it.

    tests/bench/accuracy.py build/release DATA                                   # ETTh1, four horizons, one seed
    tests/bench/accuracy.py build/release DATA --sets ettm1,exchange_rate --seeds 3
    tests/bench/accuracy.py build/release DATA --train="--refit"                 # with the validation rows, at last

DATA holds etth1/ETTh1.csv.gz, ettm1/ETTm1.csv.gz and exchange_rate/exchange_rate.txt.gz as their origins give them
(zhouhaoyi/ETDataset, laiguokun/multivariate-time-series-data). Splits are the usual ones: 8640/2880/2880 rows of
ETTh1, four times as many of ETTm1, 70/10/20 % of the exchange rates. One model for each horizon; errors in deviations
of the training rows, mean over the seeds and the distance from the least to the greatest. Forecasts come from the state
that is carried on; behind "anew", the same made from the last --window readings. Pinball loss and width of the interval
stand beside those of the seasonal naive.
"""
import argparse
import dataclasses
import gzip
import json
import pathlib
import statistics
import subprocess
import tempfile
import time


@dataclasses.dataclass(frozen=True)
class Set:
    file: str
    train: int  # rows
    validation: int
    test: int
    numbered: str = ""  # interval of rows that have neither times nor a header


SETS = {
    "etth1": Set("etth1/ETTh1.csv.gz", 8640, 2880, 2880),
    "ettm1": Set("ettm1/ETTm1.csv.gz", 34560, 11520, 11520),
    "exchange_rate": Set("exchange_rate/exchange_rate.txt.gz", 5311, 760, 1517, numbered="24h"),
}


def unpack(one, data, folder):
    """The set's file as the command line takes it."""
    text = gzip.decompress((data / one.file).read_bytes()).decode()
    if one.numbered:
        lines = text.split()
        names = ",".join(f"rate{i}" for i in range(lines[0].count(",") + 1))
        text = "\n".join([f"row,{names}", *(f"{i},{line}" for i, line in enumerate(lines))]) + "\n"
    target = folder / pathlib.Path(one.file).stem
    target.write_text(text)
    return target


def run(program, *arguments):
    subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def score(arguments, one, table, horizon, seed, folder):
    """Errors of a model on the test rows, and the seconds that its training took."""
    interval = ["--interval", one.numbered] if one.numbered else []
    learnt, models, answer = one.train + one.validation, folder / "models", folder / "backtest.json"
    begin = time.monotonic()
    run(arguments.tidegate, "train", table, "--config", arguments.config, "--rows", f"0:{learnt}", "--validation",
        one.validation / learnt, "--horizon", horizon, "--seed", seed, "--threads", arguments.threads, "--name", "accuracy",
        "--output", models, *interval, *arguments.train.split())
    seconds = time.monotonic() - begin
    version = max((models / "accuracy").iterdir(), key=lambda path: int(path.name))
    run(arguments.tidegate, "backtest", version, table, "--rows", f"0:{learnt + one.test}", "--from", learnt, "--horizons",
        horizon, "--window", arguments.window, "--json", answer, *interval)
    found = json.loads(answer.read_text())
    errors = found["horizons"][-1]["errors"]
    assert found["horizons"][-1]["origins"] == one.test - horizon + 1, found  # no window is dropped
    errors["cost"] = 1e6 * found["seconds_per_forecast"]
    if arguments.window > 0:
        errors["anew"] = found["windowed"]["horizons"][-1]["errors"]["model"]
        errors["anew"]["cost"] = 1e6 * found["windowed"]["seconds_per_forecast"]
    return errors, seconds


def spread(values):
    return f"{statistics.mean(values):.4f} ±{(max(values) - min(values)) / 2:.4f}"


def print_more(runs):
    """Intervals beside the seasonal naive's, cost, and forecasts made anew; means over the seeds."""
    def mean(*path):
        values = runs
        for key in path:
            values = [value[key] for value in values]
        return statistics.mean(values)

    line = f"pinball {mean('model', 'pinball'):.4f}"
    if runs[0]["model"]["width"] is not None:
        line += f"  width {mean('model', 'width'):.3f}"
    if runs[0].get("season_ago", {}).get("pinball") is not None:
        line += f"  season ago {mean('season_ago', 'pinball'):.4f} {mean('season_ago', 'width'):.3f}"
    line += f"  {mean('cost'):.0f} us a forecast"
    if "anew" in runs[0]:
        line += f"  anew: MSE {mean('anew', 'mse'):.4f}  MAE {mean('anew', 'mae'):.4f}  {mean('anew', 'cost'):.0f} us"
    print(f"{'':19}  {line}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--sets", default="etth1")
    parser.add_argument("--horizons", default="96,192,336,720")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--window", type=int, default=0, help="readings of forecasts made anew; 0: none")
    parser.add_argument("--config", default="clients/recipes/channels.ini")
    parser.add_argument("--train", default="", help="further flags of tidegate train")
    arguments = parser.parse_args()
    arguments.tidegate = arguments.build / "clients/cli/tidegate"
    sets = arguments.sets.split(",")
    for name in set(sets) - set(SETS):
        parser.error(f"--sets: no set '{name}', there are {', '.join(SETS)}")
    for name in sets:
        one, means = SETS[name], []
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            table = unpack(one, arguments.data, folder)
            for horizon in map(int, arguments.horizons.split(",")):
                runs = [score(arguments, one, table, horizon, seed, folder) for seed in range(1, arguments.seeds + 1)]
                model = [errors["model"] for errors, _ in runs]
                mse, mae = ([errors[key] for errors in model] for key in ("mse", "mae"))
                coverage = [errors["coverage"] or 0 for errors in model]  # none of one quantile
                means.append((statistics.mean(mse), statistics.mean(mae)))
                last = runs[0][0]["last_value"]
                print(f"{name:14} {horizon:4}  MSE {spread(mse)}  MAE {spread(mae)}  in the interval "
                      f"{100 * statistics.mean(coverage):.1f} %  last value {last['mse']:.4f} {last['mae']:.4f}  "
                      f"{statistics.mean(seconds for _, seconds in runs):.0f} s", flush=True)
                print_more([errors for errors, _ in runs])
        mse, mae = (statistics.mean(column) for column in zip(*means))
        print(f"{name:14} mean  MSE {mse:.4f}  MAE {mae:.4f}")


if __name__ == "__main__":
    main()
