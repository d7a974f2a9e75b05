#!/usr/bin/env python3
"""What it costs to lose nothing: the modes of --durability against each other, recovery, and streams on disk.

    ninja -C build/release serve_bench
    tests/bench/durability.py build/release [modes] [recovery] [cold]

modes     readings/s of a GRU of 64 units, 256 readings a message, 50,000 streams, 16 messages in flight, with
          checkpoints: process at least 0.85 of none, power at least 0.6; what power adds to the p50 of one message
          at a time
recovery  time until a server with a million streams serves: after a kill with the readings of a whole checkpoint
          interval behind the last one (30 s), and after an orderly end (3 s)
cold      ten million streams within --memory-limit 1GiB: memory, readings/s of a thousand that stay in memory
          against a server without a limit, and what it adds to a reading that its stream comes from disk (p99 1 ms)
The folders of the data lie in --folder, which should be on the disk in question.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from server_process import Server, load, sample, tidegate_server

MODEL = 'gru64'
MODES = ('none', 'process', 'power')
ONE = ('--model', MODEL, '--batch', 256)
LOAD = (*ONE, '--calls', 8, '--window', 2)


def start(build, models, data, *more):
    return Server(tidegate_server(build, models, '--default-model', MODEL, '--max-streams', 20_000_000, '--shards', 1,
                                  '--data', data, *more))


def sync_seconds(folder):
    """Median time to append 10 KiB to a file, as a group of 256 readings is, and sync it."""
    times = []
    with open(folder / 'sync', 'wb', buffering=0) as file:
        for _ in range(100):
            file.write(bytes(10240))
            begin = time.monotonic()
            os.fdatasync(file.fileno())
            times.append(time.monotonic() - begin)
    return statistics.median(times)


def say(what, value, limit, least=True):
    met = value >= limit if least else value <= limit
    print(f'{what:58} {value:10.3f}   {"at least" if least else "at most"} {limit:g}: {"met" if met else "MISSED"}', flush=True)
    return met


def modes(build, models, folder, runs, _):
    """Each mode in turns, each with a store of its own."""
    rates, p50 = {mode: [] for mode in MODES}, {mode: [] for mode in MODES}
    share = []
    with contextlib.ExitStack() as stack:
        servers = {mode: stack.enter_context(start(build, models, folder / mode, '--durability', mode,
                                                   '--checkpoint-interval', 10)) for mode in MODES}
        flags = ('--streams', 50_000, '--warm-up', '1s', '--duration', '3s')
        for _ in range(runs):
            for mode, server in servers.items():
                rates[mode].append(load(build, server, *LOAD, *flags)['readings_per_second'])
        for _ in range(runs):
            for mode, server in servers.items():
                p50[mode].append(load(build, server, *ONE, *flags, '--window', 1)['latency_seconds']['p50'])
        for mode in MODES:
            spent = sample(servers[mode], 'tidegate_checkpoint_duration_seconds_sum')
            made = sample(servers[mode], 'tidegate_checkpoint_duration_seconds_count')
            share.append(f'{mode} {made:.0f} checkpoints of {1000 * spent / max(1, made):.0f} ms')
    for mode in MODES:
        print(f'{mode:8} {statistics.median(rates[mode]):12,.0f} readings/s ({min(rates[mode]):,.0f} .. '
              f'{max(rates[mode]):,.0f}), p50 of a message at a time {1e3 * statistics.median(p50[mode]):.2f} ms')
    print('; '.join(share))
    ratio = {mode: statistics.median(a / b for a, b in zip(rates[mode], rates['none'])) for mode in MODES}
    sync = sync_seconds(folder)
    added = statistics.median(p50['power']) - statistics.median(p50['none'])
    good = say('process / none, readings/s', ratio['process'], 0.85)
    good &= say('power / none, readings/s', ratio['power'], 0.6)
    return good & say(f'added by power to p50, ms (a sync takes {1e3 * sync:.2f} ms)', 1e3 * added,
                      round(max(0.3, 1.5e3 * sync), 2), least=False)


def recovery(build, models, folder, *_):
    """A kill just before a checkpoint, then an orderly end."""
    streams, data = 1_000_000, folder / 'recovery'
    more = ('--checkpoint-interval', 60)
    with start(build, models, data, *more) as server:
        load(build, server, *LOAD, '--streams', streams, '--duration', '1s')
        while sample(server, 'tidegate_checkpoint_duration_seconds_count') == 0:
            time.sleep(0.2)
        before = sample(server, 'tidegate_checkpoint_duration_seconds_count')
        # A checkpoint comes early when what is behind the last one would take too long to replay.
        while sample(server, 'tidegate_checkpoint_duration_seconds_count') == before:
            answer = load(build, server, *LOAD, '--streams', streams, '--warm-up', '0s', '--duration', '5s')
            if sample(server, 'tidegate_checkpoint_age_seconds') > 40:
                break
        print(f'{answer["readings_per_second"]:,.0f} readings/s with a million streams')
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    with start(build, models, data, *more) as server:
        good = say('seconds until it serves after the kill', server.seconds_to_ready, 30, least=False)
        print(f'{sample(server, f"tidegate_streams{{model={json.dumps(MODEL)}}}"):,.0f} streams')
    seconds = []
    for _ in range(3):
        with start(build, models, data, *more) as server:
            seconds.append(server.seconds_to_ready)
    print('after an orderly end', ', '.join(f'{s:.2f}' for s in seconds))
    good &= say('seconds until it serves after an orderly end, median', statistics.median(seconds), 3, least=False)
    with start(build, models, data, *more, '--memory-limit', '1GiB') as server:
        print(f'with --memory-limit {server.seconds_to_ready:.3f} s')
    return good


def cold(build, models, folder, runs, many):
    """Ten million streams in memory for a tenth of them."""
    hot = ('--model', MODEL, '--streams', 1000, '--stream-prefix', 'hot-', '--batch', 256, '--calls', 8,
                             '--window', 8, '--duration', '2s')
    with start(build, models, folder / 'cold', '--memory-limit', f'{many // 10_000 * 1024 // 1000}MiB') as server, \
            start(build, models, folder / 'warm') as unlimited:
        begin = time.monotonic()
        load(build, server, '--model', MODEL, '--streams', many, '--calls', 16, '--batch', 256, '--window', 2,
             '--duration', '1s')
        print(f'{many:,} streams begun in {time.monotonic() - begin:.0f} s; on disk alone '
              f'{sample(server, "tidegate_cold_streams"):,.0f}')
        good = say('resident memory, GiB (1 for streams, and what the store needs)', server.resident_bytes() / 2**30, 1.5,
                   least=False)
        ratios = []
        for _ in range(runs):
            ratios.append(load(build, server, *hot)['readings_per_second'] /
                          load(build, unlimited, *hot)['readings_per_second'])
        good &= say('readings/s of a thousand hot streams, to a server without a limit', statistics.median(ratios), 0.95)
        # All streams are asked for and pushed to once before the rate begins. What that sets going goes on meanwhile: tables
        # are merged for minutes.
        one = ('--model', MODEL, '--unary', '--rate', 200, '--duration', '30s')
        back = load(build, server, *one, '--streams', many, '--warm-up', '60s')['latency_seconds']
        stay = load(build, server, *one, '--streams', 1000, '--stream-prefix', 'hot-')['latency_seconds']
        for name, times in ('on disk', back), ('in memory', stay):
            print(f'a reading of a stream {name}: p50 {1e3 * times["p50"]:.3f} ms, p99 {1e3 * times["p99"]:.3f} ms')
        print(f'resident memory then {server.resident_bytes() / 2**30:.3f} GiB')
        return good & say('p99 of what the way from the disk adds, ms', 1e3 * (back['p99'] - stay['p99']), 1, least=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=pathlib.Path, help='build folder')
    parser.add_argument('parts', nargs='*', help='modes, recovery, cold (default: all)')
    parser.add_argument('--runs', type=int, default=9, help='of each mode (default: 9)')
    parser.add_argument('--cold-streams', type=int, default=10_000_000, help='(default: 10,000,000, for 1 GiB)')
    parser.add_argument('--folder', type=pathlib.Path, help='for the data (default: beside the build)')
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    parts = {'modes': modes, 'recovery': recovery, 'cold': cold}
    good = True
    with tempfile.TemporaryDirectory(dir=arguments.folder or build) as folder:
        models = pathlib.Path(folder) / 'models'
        subprocess.run([build / 'tests/bench/make_bench_models', models], check=True)
        for part in arguments.parts or parts:
            print(f'--- {part}', flush=True)
            good &= parts[part](build, models, pathlib.Path(folder), arguments.runs, arguments.cold_streams)
    sys.exit(not good)


if __name__ == '__main__':
    main()
