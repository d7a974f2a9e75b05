"""A server under measurement, and the load on it: what the scripts here share."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import urllib.request

CPUS = sorted(os.sched_getaffinity(0))


class Server:
    """A server process on a free port, pinned to one CPU; by default the first, the load generator has the last."""

    def __init__(self, command, cpu=CPUS[0]):
        begin = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
        line = self.process.stdout.readline()
        self.seconds_to_ready = time.monotonic() - begin
        if 'grpc=' not in line:
            raise SystemExit(f'{command[0]} did not start: {line.strip() or "it says nothing"}')
        self.address = line.split('grpc=')[1].split()[0]
        self.metrics = line.split('metrics=')[-1].split()[0]
        self.pid = self.process.pid

    def cpu_seconds(self):
        threads = pathlib.Path(f'/proc/{self.pid}/task').glob('*/schedstat')
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def resident_bytes(self):
        status = pathlib.Path(f'/proc/{self.pid}/status').read_text()
        return 1024 * int(status.split('VmRSS:')[1].split()[0])

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def tidegate_server(build, models, *more):
    """The command of a tidegate-server on free ports."""
    return [build / 'server/tidegate-server', '--models', models, '--listen', '127.0.0.1:0',
            '--metrics-listen', '127.0.0.1:0', '--log-level', 'warn', *map(str, more)]


def load(build, server, *flags):
    """Runs `tidegate load` on a server, on the last CPU; its JSON."""
    with tempfile.NamedTemporaryFile(suffix='.json') as file:
        command = [build / 'clients/cli/tidegate', 'load', '--server', server.address, '--json', file.name]
        command += list(map(str, flags))
        run = subprocess.run(command, capture_output=True, text=True,
                             preexec_fn=lambda: os.sched_setaffinity(0, {CPUS[-1]}))
        if run.returncode != 0:
            raise SystemExit(f'{" ".join(map(str, command))}\n{run.stderr}')
        return json.loads(pathlib.Path(file.name).read_text())


def sample(server, series):
    """The value of a series on the server's page of metrics."""
    page = urllib.request.urlopen(server.metrics).read().decode()
    found = re.search(f'^{re.escape(series)} (.*)$', page, re.MULTILINE)
    return float(found[1]) if found else 0


def verdict(value, limit):
    return 'met' if value <= limit else 'MISSED'
