#!/usr/bin/env python3
"""Serves at half of the rate that a server can do and checks every forecast bit for bit, for minutes (soak.cc).

    ninja -C build/release soak_bench
    tests/bench/soak.py build/release

The most that the server can do is found first, by `tidegate load` on another server with as many streams; --rate
names it instead. Exit code 1: a forecast was another than the offline replay's, or the server's memory grew by
more than 1 % after warm-up.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

from server_process import CPUS, Server, load, tidegate_server

MODEL = 'gru64-quantiles'


def most_readings_per_second(build, command, streams, seconds):
    with Server(command) as server:
        result = load(build, server, '--streams', streams, '--calls', 8, '--batch', 160, '--window', 8,
                      '--warm-up', '1s', '--duration', f'{seconds}s')
    return result['readings_per_second']


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=pathlib.Path, help='build folder')
    parser.add_argument('--seconds', type=float, default=600, help='of the soak (default: 600)')
    parser.add_argument('--streams', type=int, default=100_000, help='(default: 100,000)')
    parser.add_argument('--rate', type=float, help='readings/s (default: half of the most that the server can do)')
    parser.add_argument('--search-seconds', type=float, default=5, help='to find that most (default: 5)')
    parser.add_argument('--model', type=pathlib.Path, help=f'folder NAME/VERSION (default: {MODEL}, with random weights)')
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    with tempfile.TemporaryDirectory() as folder:
        models = pathlib.Path(folder)
        model = arguments.model
        if model is None:
            subprocess.run([build / 'tests/bench/make_bench_models', models], check=True)
            model = models / MODEL / '1'
        model = model.resolve()
        command = tidegate_server(build, model.parent.parent, '--default-model', model.parent.name,
                                  '--max-streams', arguments.streams + 1000)
        rate = arguments.rate
        if rate is None:
            most = most_readings_per_second(build, command, arguments.streams, arguments.search_seconds)
            rate = most / 2
            print(f'The server does {most:,.0f} readings/s in messages of 160; half of it is {rate:,.0f}.', flush=True)
        with Server(command) as server:
            soak = [build / 'tests/bench/soak', '--model', model, '--server', server.address, '--pid', server.pid,
                    '--rate', rate, '--seconds', arguments.seconds, '--streams', arguments.streams]
            before = server.cpu_seconds()
            run = subprocess.run(list(map(str, soak)), preexec_fn=lambda: os.sched_setaffinity(0, {CPUS[-1]}))
            share = (server.cpu_seconds() - before) / arguments.seconds
            print(f'server       {share:.2f} of a core; load average of the machine {os.getloadavg()[1]:.1f}')
    sys.exit(run.returncode)


if __name__ == '__main__':
    main()
