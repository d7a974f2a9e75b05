#!/usr/bin/env python3
"""What a server takes on a small machine: 1,000 sensors, a reading a second each, the demo's model, one core.

    ninja -C build/release serve_bench
    tests/bench/edge.py build/release                          # trains the demo's model first
    tests/bench/edge.py build/release --models build/demo/models

Readings come in three forms, each for --seconds: all sensors in one message, as a gateway sends them; a message for
each reading on one call of Stream; a call of Push for each reading. Prints the server's RSS, its share of the core and
the time from exec to its ready line, each beside its limit, and the share that a bare echo of the same messages takes
(echo_server.cc): a message alone costs gRPC tens of microseconds, whoever answers it. With cgroups v2 and the right to
make one, the server is also held to that RSS by the kernel. Exit code 1: a limit is missed; that of the CPU counts for
the first form.
"""

import argparse
import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from server_process import CPUS, Server, load, tidegate_server, verdict

ROOT = pathlib.Path(__file__).resolve().parents[2]
SENSORS = 1000
MOST_BYTES, MOST_CPU, MOST_SECONDS = 64 << 20, 0.03, 1.0
STARTS = 5
GATEWAY = 'all sensors a message'
FORMS = {
    GATEWAY: ['--batch', SENSORS, '--arrivals', 'fixed'],
    'a message a reading, Stream': [],
    'a message a reading, Push': ['--unary'],
}


def train(build, models):
    """The demo's model, as deploy/quickstart/demo trains it."""
    print('Training the model of the demo ...', flush=True)
    subprocess.run([build / 'clients/cli/tidegate', 'train', ROOT / 'clients/demo/readings.csv', '--time-column',
                    'reading', '--interval', '5s', '--stream-column', 'mote_id', '--values', 'temperature,humidity',
                    '--target', 'temperature', '--label-column', 'label', '--rows', '0%:70%', '--label-margin', '60',
                    '--name', 'motes', '--output', models], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def memory_cgroup():
    """A cgroup v2 that may use MOST_BYTES, and says so; None if there can be none."""
    root = pathlib.Path('/sys/fs/cgroup')
    group = root / f'tidegate-edge-{os.getpid()}'
    try:
        if 'memory' not in (root / 'cgroup.controllers').read_text().split():
            raise OSError('no memory controller')
        group.mkdir()
        (group / 'memory.max').write_text(str(MOST_BYTES))
    except OSError as why:
        print(f'No cgroup v2 to cap the memory with ({why}): RSS is only measured.')
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()


def run(build, server, seconds, features, flags):
    """Puts one form of the load on the server; its CPU seconds a second, its RSS at the end, and the p99 of latency."""
    begin, before = time.monotonic(), server.cpu_seconds()
    result = load(build, server, '--features', features, '--streams', SENSORS, '--rate', SENSORS,
                  '--duration', f'{seconds}s', *flags)
    share = (server.cpu_seconds() - before) / (time.monotonic() - begin)
    others = {name: count for name, count in result['outcomes'].items() if name != 'APPLIED'}
    if others or result['unanswered_messages']:
        raise SystemExit(f'{others}, {result["unanswered_messages"]} messages unanswered')
    return share, server.resident_bytes(), result['latency_seconds']['p99']


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=pathlib.Path, help='build folder')
    parser.add_argument('--seconds', type=float, default=60, help='of each form (default: 60)')
    parser.add_argument('--models', type=pathlib.Path, help='folder with the model of the demo (default: train it)')
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    good = True
    with tempfile.TemporaryDirectory() as folder, memory_cgroup() as group:
        models = arguments.models or pathlib.Path(folder)
        if arguments.models is None:
            train(build, models)
        command = tidegate_server(build, models)
        if group is not None:
            command = ['/bin/sh', '-c', f'echo $$ > {group}/cgroup.procs && exec "$@"', 'sh', *command]
        starts = []
        for _ in range(STARTS):
            with Server(command) as server:
                starts.append(server.seconds_to_ready)
        start = statistics.median(starts)
        print(f'ready        {start:.3f} s after exec (median of {STARTS}, most {max(starts):.3f} s), limit '
              f'{MOST_SECONDS:g} s: {verdict(start, MOST_SECONDS)}')
        good &= start <= MOST_SECONDS
        for form, flags in FORMS.items():
            with Server(command) as server:
                share, resident, p99 = run(build, server, arguments.seconds, 2, flags)
            with Server([build / 'tests/bench/echo_server', '0', '24', '3']) as echo:
                of_echo = run(build, echo, min(20, arguments.seconds), 1, flags)[0]
            print(f'{form:28} CPU {100 * share:.2f} % of a core, limit {100 * MOST_CPU:g} %: {verdict(share, MOST_CPU)} '
                  f'(echo: {100 * of_echo:.2f} %);  RSS {resident / 2**20:.1f} MiB, limit {MOST_BYTES >> 20} MiB: {verdict(resident, MOST_BYTES)};  '
                  f'p99 {1e3 * p99:.2f} ms', flush=True)
            good &= resident <= MOST_BYTES and (share <= MOST_CPU or form != GATEWAY)
    print(f'{len(CPUS)} CPUs; load average of the machine {os.getloadavg()[1]:.1f}.')
    sys.exit(not good)


if __name__ == '__main__':
    main()
