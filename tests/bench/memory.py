#!/usr/bin/env python3
"""What a stream costs a server in memory: RSS with a million streams less RSS with none, by stream.

    ninja -C build/release serve_bench
    tests/bench/memory.py build/release

The model is a GRU of 64 units with one feature, 24 steps and three quantiles; ids have up to 32 bytes. Each stream
has taken a reading. Exit code 1: more than 768 bytes a stream.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

from server_process import Server, load, sample, tidegate_server, verdict

MODEL = 'gru64-quantiles'
LIMIT = 768
PREFIX = 'building-7-floor-3-sensor-'  # and up to six digits


def declared(build, folder):
    text = subprocess.run([build / 'clients/cli/tidegate', 'inspect', folder], capture_output=True, text=True,
                          check=True).stdout
    return re.search(r'per stream +(.*)', text)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=pathlib.Path, help='build folder')
    parser.add_argument('--streams', type=int, default=1_000_000, help='(default: 1,000,000)')
    arguments = parser.parse_args()
    build, streams = arguments.build.resolve(), arguments.streams
    with tempfile.TemporaryDirectory() as folder:
        models = pathlib.Path(folder)
        subprocess.run([build / 'tests/bench/make_bench_models', models], check=True)
        says = declared(build, models / MODEL / '1')
        with Server(tidegate_server(build, models, '--default-model', MODEL, '--max-streams', streams)) as server:
            none = server.resident_bytes()
            load(build, server, '--stream-prefix', PREFIX, '--streams', streams, '--calls', 4, '--batch', 256,
                 '--duration', '1s')
            all_of_them = server.resident_bytes()
            kept = sample(server, f'tidegate_streams{{model="{MODEL}"}}')
            applied = sample(server, f'tidegate_readings_total{{model="{MODEL}",outcome="applied"}}')
    if kept != streams or applied < streams:
        raise SystemExit(f'{kept:.0f} streams and {applied:.0f} readings applied, expected {streams} or more')
    each = (all_of_them - none) / streams
    print(f'RSS          {none / 2**20:.1f} MiB without streams, {all_of_them / 2**20:.1f} MiB with {streams:,}, which have '
          f'taken {applied:,.0f} readings')
    print(f'a stream     {each:.1f} bytes, limit {LIMIT}: {verdict(each, LIMIT)}')
    print(f'declared     {says}')
    sys.exit(each > LIMIT)


if __name__ == '__main__':
    main()
