#!/usr/bin/env python3
"""Trains on a CSV of ten million readings and replays its end: seconds of each, rows a second, and peak memory.

    tests/bench/large_csv.py build/release
    tests/bench/large_csv.py build/release --rows 1000000 --streams 10

The readings are made: by stream a day's shape of 288 readings, a slow wave and noise. The model is a GRU of --units
units, one epoch over all rows but the last tenth, which is then replayed (of the last stream alone, or --replay many).
"""
import argparse
import pathlib
import random
import math
import resource
import subprocess
import tempfile
import time

DAY = 288  # readings


def write(path, rows, streams):
    """The file, by stream; times are milliseconds, five minutes apart."""
    each = rows // streams
    wave = [math.sin(2 * math.pi * t / DAY) for t in range(DAY)]
    source = random.Random(1)
    noise = [source.gauss(0, 0.2) for _ in range(9973)]
    with path.open("w") as file:
        file.write("time,sensor,value\n")
        for stream in range(streams):
            phase = stream * 37
            file.writelines(
                f"{1_700_000_000_000 + t * 300_000},s{stream},"
                f"{20 + wave[(t + phase) % DAY] + wave[(t // 97) % DAY] + noise[(t + phase) % 9973]:.3f}\n"
                for t in range(each))


def run(*arguments):
    """Seconds, peak MiB of this and all before it, and what it printed."""
    begin = time.monotonic()
    out = subprocess.run([str(argument) for argument in arguments], check=True, capture_output=True, text=True).stdout
    seconds = time.monotonic() - begin
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--replay", type=int, default=1, help="streams that are replayed")
    arguments = parser.parse_args()
    tidegate = arguments.build.resolve() / "clients/cli/tidegate"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        table = folder / "readings.csv"
        write(table, arguments.rows, arguments.streams)
        print(f"{arguments.rows:,} rows of {arguments.streams} streams, {table.stat().st_size / 2**20:.0f} MiB", flush=True)
        columns = ["--time-column", "time", "--stream-column", "sensor", "--values", "value"]
        seconds, peak, out = run(tidegate, "train", table, *columns, "--rows", "0%:90%", "--units", arguments.units,
                                 "--epochs", 1, "--horizon", 12, "--name", "large", "--output", folder)
        print(f"train     {seconds:7.1f} s  {0.9 * arguments.rows / seconds:12,.0f} rows/s  peak {peak:,.0f} MiB")
        print("          " + next(line for line in out.splitlines() if line.startswith("Validation")), flush=True)
        replayed = [f"s{i}" for i in range(arguments.streams - arguments.replay, arguments.streams)]
        seconds, peak, out = run(tidegate, "backtest", folder / "large" / "1", table, *columns, "--from", "90%",
                                 "--streams", ",".join(replayed))
        print(f"backtest  {seconds:7.1f} s, all rows read, {arguments.replay} of the streams replayed  peak so far {peak:,.0f} MiB")
        print("          " + out.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
