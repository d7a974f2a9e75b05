#!/usr/bin/env python3
"""Measures tidegate-server against a bare gRPC echo of the same messages (echo_server.cc), run by run in turns.

    ninja -C build/release serve_bench
    tests/bench/serve_against_echo.py build/release

The server has its CPU and the load generator another where there are two. Absolute figures move with the machine
and the hour; the ratios are what counts: each is the median over pairs of runs that follow each other.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from server_process import CPUS, Server

WARM_UP = 0.3  # seconds before the measured time


class Bench:
    """The servers, and how to put load on one of them."""

    def __init__(self, build, seconds, folder):
        self.tidegate = build / 'clients/cli/tidegate'
        self.seconds = seconds
        self.json = folder / 'load.json'
        models = folder / 'models'
        subprocess.run([build / 'tests/bench/make_bench_models', models], check=True)
        echo = build / 'tests/bench/echo_server'
        self.servers = {
            'ours': Server([build / 'server/tidegate-server', '--models', models, '--default-model', 'linear',
                            '--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0',
                            '--max-streams', '3000000', '--log-level', 'warn']),
            'echo, 24 floats': Server([echo, '0', '24', '1']),
            'echo, 72 floats': Server([echo, '0', '24', '3']),
        }

    def stop(self):
        for server in self.servers.values():
            server.stop()

    def load(self, server, model, flags):
        """One run; its JSON and the server's CPU seconds per reading."""
        process = self.servers[server]
        command = [self.tidegate, 'load', '--server', process.address, '--model', model, '--json', self.json,
                   '--warm-up', f'{WARM_UP}s', '--duration', f'{self.seconds}s']
        if '--stream-prefix' not in flags:
            command += ['--stream-prefix', f'{model}-']
        before = process.cpu_seconds()
        run = subprocess.run(command + flags, capture_output=True, text=True,
                             preexec_fn=lambda: os.sched_setaffinity(0, {CPUS[-1]}))
        if run.returncode != 0:
            raise SystemExit(f'{" ".join(map(str, command + flags))}\n{run.stderr}')
        result = json.loads(self.json.read_text())
        readings = result['readings_per_second'] * (self.seconds + WARM_UP)
        result['server_cpu'] = (process.cpu_seconds() - before) / max(1, readings)
        refused = {name: count for name, count in result['outcomes'].items() if name != 'APPLIED'}
        if refused or result['unanswered_messages']:
            print(f'  {server}, {model}: {refused}, unanswered {result["unanswered_messages"]}', file=sys.stderr)
        return result


def throughput(name, model, flags, target, echo='echo, 24 floats'):
    return {'name': name, 'model': model, 'flags': flags.split(), 'echo': echo,
            'metrics': [('readings/s', lambda r: r['readings_per_second'], target)]}


def latency(name, flags, targets, half_of=None):
    metrics = [(f'{percentile}, us', lambda r, p=percentile: 1e6 * r['latency_seconds'][p], target)
               for percentile, target in targets.items()]
    return {'name': name, 'model': 'gru64', 'flags': flags.split(), 'echo': 'echo, 24 floats', 'metrics': metrics,
            'half_of': half_of}


SINGLE = '--calls 8 --batch 1 --window 64'
BATCHED = '--calls 8 --window 8 --batch'
CASES = [
    throughput('linear, 256 a message', 'linear', f'{BATCHED} 256', 0.6),
    throughput('GRU 64, 1 a message', 'gru64', SINGLE, 0.8),
    throughput('GRU 64, 64 a message', 'gru64', f'{BATCHED} 64', 0.4),
    throughput('GRU 64, 256 a message', 'gru64', f'{BATCHED} 256', 0.2),
    throughput('GRU 64 in bf16, 256 a message', 'gru64-bf16', f'{BATCHED} 256', None),
    throughput('GRU 64, 256 a message, 3 quantiles', 'gru64-quantiles', f'{BATCHED} 256', None, 'echo, 72 floats'),
    throughput('GRU 64, Push, 1 a message', 'gru64', '--unary --window 32', 0.9),
    latency('GRU 64, ping-pong', '--calls 1 --window 1', {'p50': 1.15, 'p99': 1.3}),
    latency('GRU 64, half load, 1 a message', '--calls 8 --batch 1', {'p99': 1.5, 'p99.9': 2.0}, 'GRU 64, 1 a message'),
    latency('GRU 64, half load, 64 a message', '--calls 8 --batch 64', {'p99': 1.5, 'p99.9': 2.0},
            'GRU 64, 64 a message'),
]
# Ours with many streams, in random order, against ours with few.
FEW_STREAMS, MANY_STREAMS = 1_000, 1_000_000
STREAMS = f'{BATCHED} 256 --stream-prefix many- --streams'


def flags_of(case, results):
    """A case at half load takes its rate from our runs so far of the case that it is half of."""
    if not case.get('half_of'):
        return case['flags']
    rates = [run['readings_per_second'] for run in results[case['half_of']]['ours']]
    return case['flags'] + ['--rate', f'{statistics.median(rates) / 2:.0f}']


def figure(value):
    return f'{value:,.0f}' if value >= 100 else f'{value:.1f}'


def row(name, metric, ours, other, ratios, target, cpu):
    met = ''
    if target is not None:
        bound = '>=' if metric == 'readings/s' else '<='
        good = statistics.median(ratios) >= target if bound == '>=' else statistics.median(ratios) <= target
        met = f'{bound} {target:g} {"met" if good else "MISSED"}'
    return [name, metric, figure(statistics.median(ours)), f'{figure(min(ours))} .. {figure(max(ours))}',
            figure(statistics.median(other)), f'{figure(min(other))} .. {figure(max(other))}',
            f'{statistics.median(ratios):.2f}', f'{min(ratios):.2f} .. {max(ratios):.2f}', met, cpu]


def rows_of(case, results):
    ours, other = results[case['name']]['ours'], results[case['name']]['other']
    cpu = ' / '.join(f'{1e6 * statistics.median(run["server_cpu"] for run in runs):.3f}' for runs in (ours, other))
    for metric, value, target in case['metrics']:
        a, b = [value(run) for run in ours], [value(run) for run in other]
        yield row(case['name'], metric, a, b, [x / y for x, y in zip(a, b)], target, cpu)


def show(rows):
    header = ['case', 'metric', 'ours', 'least .. most', 'echo', 'least .. most', 'ratio', 'least .. most', 'target',
              'server CPU a reading, us']
    table = [header] + rows
    width = [max(len(line[c]) for line in table) for c in range(len(header))]
    for line in table:
        print('  '.join(cell.ljust(w) if c < 2 else cell.rjust(w) for c, (cell, w) in enumerate(zip(line, width))))


def measure(bench, runs, cases, many):
    results = {case['name']: {'ours': [], 'other': []} for case in cases}
    streams = {'name': f'GRU 64, {MANY_STREAMS:,} / {FEW_STREAMS:,} streams',
               'metrics': [('readings/s', lambda r: r['readings_per_second'], 0.8)]}
    results[streams['name']] = {'ours': [], 'other': []}
    begin = time.monotonic()
    for run in range(runs):
        for case in cases:
            flags = flags_of(case, results)
            pair = [('ours', 'ours'), ('other', case['echo'])]
            for key, server in pair if run % 2 == 0 else reversed(pair):
                results[case['name']][key].append(bench.load(server, case['model'], flags))
        if many:
            for key, count in ('ours', MANY_STREAMS), ('other', FEW_STREAMS):
                result = bench.load('ours', 'gru64', STREAMS.split() + [str(count)])
                results[streams['name']][key].append(result)
        spent = time.monotonic() - begin
        print(f'\r  run {run + 1} of {runs}, {spent / (run + 1) * (runs - run - 1):.0f} s left ', end='',
              file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results, cases + ([streams] if many else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=pathlib.Path, help='build folder')
    parser.add_argument('--runs', type=int, default=9, help='of each case and server (default: 9)')
    parser.add_argument('--seconds', type=float, default=2, help='measured time of each (default: 2)')
    parser.add_argument('--only', default='', help='only cases whose name has this in it')
    arguments = parser.parse_args()
    wanted = [case for case in CASES if arguments.only in case['name']]
    needed = [case.get('half_of') for case in wanted]
    cases = [case for case in CASES if case in wanted or case['name'] in needed]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        bench = Bench(arguments.build.resolve(), arguments.seconds, pathlib.Path(folder))
        stack.callback(bench.stop)
        results, cases = measure(bench, arguments.runs, cases, arguments.only in 'streams')
    show([line for case in cases for line in rows_of(case, results)])
    load = os.getloadavg()[1]
    print(f'\n{len(CPUS)} CPUs, {arguments.runs} runs of {arguments.seconds:g} s; load average of the machine {load:.1f}.')


if __name__ == '__main__':
    main()
