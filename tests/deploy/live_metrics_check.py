#!/usr/bin/env python3
"""Runs every dashboard query and every rule in a real Prometheus that scrapes a real server under load.

    tests/deploy/live_metrics_check.py --bin build/release --models DIR [--seconds 40] [--graph FOLDER]

Starts tidegate-server on the models of DIR and Prometheus (Debian: prometheus) on free ports of the loopback
interface, lets `tidegate push` feed made-up readings to each model in rounds (a quarter of the streams send the same
readings in every round, so that some are refused), then checks the metric names and the queries of all dashboards, the
rules' health, and what promtool says of the /metrics page. Fails, naming the query, if one is wrong or gives nothing.
--graph writes FOLDER/run.svg: latency and load as Prometheus saw them. 77: prometheus or promtool is missing.
"""
import argparse
import contextlib
import glob
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import check_dashboards
import graph

READY = re.compile(r"ready: grpc=(\S+) metrics=http://(\S+)/metrics")
WINDOW = "10s"  # of rates; the scrape interval is 1 s
STREAMS, READINGS = 20, 200  # of one round
LATENCY = "histogram_quantile(%s, sum by (le) (rate(tidegate_request_duration_seconds_bucket[5s])))"
GRAPHS = [("Request latency, milliseconds", {f"p{q}": f"1000 * {LATENCY % (q / 100)}" for q in (50, 95, 99)}),
          ("Readings per second", {"": "sum by (outcome) (rate(tidegate_readings_total[5s])) > 0"}),
          ("Mean batch size", {"readings": "sum(rate(tidegate_batch_size_readings_sum[5s])) / "
                                           "sum(rate(tidegate_batch_size_readings_count[5s]))"})]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command, log):
    """The process, stopped in the end; its output is printed if it ended by itself."""
    with open(log, "w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
        if process.poll() is not None:
            sys.exit(f"{command[0]} ended with code {process.returncode}:\n{open(log).read()}")
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait_for(condition, process, log):
    """What `condition` gives as soon as that is something; connections refused meanwhile are not an error."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        time.sleep(0.1)
    sys.exit(f"{process.args[0]} does not start:\n{open(log).read()}")


def write_config(path, target):
    """deploy/prometheus/prometheus.yml, but for `target` and every second."""
    with open(os.path.join(check_dashboards.SOURCE, "deploy/prometheus/prometheus.yml")) as file:
        text = file.read()
    for ours, here in (("tidegate:9464", target), ("interval: 5s", "interval: 1s"), ("timeout: 4s", "timeout: 1s"),
                       ("evaluation_interval: 15s", "evaluation_interval: 1s"),
                       ('"rules/', f'"{check_dashboards.SOURCE}/deploy/prometheus/rules/')):
        if ours not in text:
            sys.exit(f"deploy/prometheus/prometheus.yml: '{ours}' is not there; change this script with it")
        text = text.replace(ours, here)
    with open(path, "w") as file:
        file.write(text)


@contextlib.contextmanager
def serving(options, folder):
    """A tidegate-server: its addresses for gRPC and for /metrics."""
    log = os.path.join(folder, "server.log")
    command = [os.path.join(options.bin, "server/tidegate-server"), "--models", options.models,
               "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    with running(command, log) as server:
        yield wait_for(lambda: READY.search(open(log).read()), server, log).groups()


@contextlib.contextmanager
def scraping(target, folder):
    """A Prometheus that has scraped `target`: its URL."""
    log, config = os.path.join(folder, "prometheus.log"), os.path.join(folder, "prometheus.yml")
    write_config(config, target)
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
               f"--web.listen-address={address}"]
    with running(command, log) as prometheus:
        url = f"http://{address}"
        wait_for(lambda: check_dashboards.ask(url, "query", query="up == 1")["result"], prometheus, log)
        yield url


def check_rules(url):
    """A fault for each rule that Prometheus could not evaluate."""
    rules = [rule for group in check_dashboards.ask(url, "rules")["groups"] for rule in group["rules"]]
    faults = [f"rule {rule['name']}: {rule.get('lastError', rule['health'])}" for rule in rules if rule["health"] != "ok"]
    return faults if rules else ["Prometheus has no rules"]


def read_models(folder):
    models = [json.load(open(path)) for path in glob.glob(os.path.join(folder, "*/*/model.json"))]
    return {model["name"]: model for model in models}


def write_round(path, model, number):
    """A CSV of STREAMS streams, a quarter of them those of every round: waves of different length in each feature."""
    features = [feature["name"] for feature in model["features"]]
    names = [f"again{i}" if i < STREAMS // 4 else f"round{number}-{i}" for i in range(STREAMS)]
    with open(path, "w") as file:
        file.write(",".join(["time", "stream", *features]) + "\n")
        for tick in range(READINGS):
            for i, name in enumerate(names):
                values = [f"{20 + math.sin((tick + i) / (10 + f)):.3f}" for f in range(len(features))]
                file.write(f"{1.7e9 + tick * model['interval_ns'] / 1e9:.3f},{name},{','.join(values)}\n")


def feed(options, models, address, folder):
    """Rounds of readings until the time is over."""
    end, number, pushed = time.monotonic() + options.seconds, 0, 0
    while time.monotonic() < end:
        for name, model in models.items():
            path = os.path.join(folder, f"{name}.csv")
            write_round(path, model, number)
            done = subprocess.run([os.path.join(options.bin, "clients/cli/tidegate"), "push", path, "--server", address,
                                   "--model", name, "--time-column", "time", "--stream-column", "stream"],
                                  capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"tidegate push ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
            pushed += STREAMS * READINGS
        number += 1
        time.sleep(0.3)
    print(f"pushed {pushed} readings in {number} rounds of {options.seconds} s")


def draw(url, start, folder):
    panels = []
    for title, expressions in GRAPHS:
        lines = {}
        for name, expression in expressions.items():
            answer = check_dashboards.ask(url, "query_range", query=expression, start=start, end=time.time(), step=1)
            for series in answer["result"]:
                lines[name or ",".join(series["metric"].values())] = [(float(t) - start, float(v)) for t, v in
                                                                      series["values"]]
        panels.append((title, lines))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "run.svg"), "w") as file:
        file.write(graph.svg(panels))
    print(f"wrote {os.path.join(folder, 'run.svg')}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the build, such as build/release")
    parser.add_argument("--models", required=True, help="folder of models to serve")
    parser.add_argument("--seconds", type=int, default=40, help="of load (default 40)")
    parser.add_argument("--graph", metavar="FOLDER", help="where to write run.svg")
    options = parser.parse_args()
    for tool in ("prometheus", "promtool"):
        if not shutil.which(tool):
            print(f"skipped: {tool} is missing (Debian: apt-get install prometheus)")
            sys.exit(77)
    models = read_models(options.models)
    if not models:
        sys.exit(f"{options.models}: no model there (NAME/VERSION/model.json)")
    with tempfile.TemporaryDirectory() as folder:
        with serving(options, folder) as (address, page), scraping(page, folder) as url:
            start = time.time()
            feed(options, models, address, folder)
            scrape = check_dashboards.read(f"http://{page}/metrics")
            queries = [q for dashboard in check_dashboards.load() for q in dashboard.queries()]
            faults = check_dashboards.check_names(queries, scrape)
            faults += check_dashboards.check_answers(queries, url, WINDOW) + check_rules(url)
            lint = subprocess.run(["promtool", "check", "metrics"], input=scrape, capture_output=True, text=True)
            faults += [f"promtool: {line}" for line in (lint.stdout + lint.stderr).splitlines()]
            if options.graph:
                draw(url, start, options.graph)
    print("\n".join(faults) or f"{len(queries)} queries answered, {len(scrape)} bytes a scrape: no faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
