#!/usr/bin/env python3
"""Checks the Grafana dashboards of deploy/grafana/dashboards without a Grafana.

    tests/deploy/check_dashboards.py                                  form of the JSON, and of every query (promtool)
    tests/deploy/check_dashboards.py --scrape URL|FILE                the metric names against a server's /metrics page
    tests/deploy/check_dashboards.py --prometheus URL                 every query against a running Prometheus: none may
                                                                      fail, none may give nothing or only NaN
Prints one line per fault and exits with 1; 77 if promtool (Debian: prometheus) is missing. Standard library only.
"""
import argparse
import glob
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DASHBOARDS = os.path.join(SOURCE, "deploy/grafana/dashboards")
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
PANEL_TYPES = {"timeseries", "stat", "gauge", "heatmap", "table", "row"}
UNITS = {"s", "Bps", "bytes", "percentunit", "reqps", "ops", "short", "none", "dtdurations", "cps"}
SCHEMA_VERSION = 39  # Grafana 10.4 and 11; later ones migrate it on load


class Dashboard:
    def __init__(self, path):
        self.name = os.path.basename(path)
        with open(path) as file:
            self.json = json.load(file)
        self.panels = list(self.json["panels"])
        self.panels += [inner for panel in self.panels for inner in panel.get("panels", [])]

    def queries(self):
        """(place, expression) of every target and query variable, as Grafana stores them."""
        for panel in self.panels:
            for target in panel.get("targets", []):
                yield f"{self.name}, panel {panel['id']} '{panel['title']}', {target['refId']}", target["expr"]

    def faults(self):
        """Departures from what Grafana's dashboard model and this project ask for."""
        found = []
        board = self.json
        if board.get("id") is not None:
            found.append("'id' must be null: Grafana gives it")
        if board.get("schemaVersion") != SCHEMA_VERSION:
            found.append(f"schemaVersion {board.get('schemaVersion')}, expected {SCHEMA_VERSION}")
        found += [f"'{key}' is missing" for key in ("uid", "title", "time", "refresh") if not board.get(key)]
        variables = {v["name"]: v for v in board["templating"]["list"]}
        if variables.get("datasource", {}).get("type") != "datasource":
            found.append("no variable 'datasource' of type 'datasource'")
        found += [f"variable '{v['name']}': datasource {v.get('datasource')}, expected {DATASOURCE}"
                  for v in variables.values() if v["type"] == "query" and v.get("datasource") != DATASOURCE]
        ids = [panel["id"] for panel in self.panels]
        found += [f"panel id {i} is used more than once" for i in sorted(set(ids)) if ids.count(i) > 1]
        for panel in self.panels:
            found += [f"panel {panel['id']} '{panel['title']}': {fault}" for fault in panel_faults(panel)]
        for a, b in itertools.combinations(self.panels, 2):
            if overlap(a["gridPos"], b["gridPos"]):
                found.append(f"panels {a['id']} and {b['id']} overlap")
        return [f"{self.name}: {fault}" for fault in found]


def panel_faults(panel):
    found = []
    grid = panel["gridPos"]
    if grid["x"] < 0 or grid["w"] < 1 or grid["x"] + grid["w"] > 24:
        found.append(f"gridPos {grid} leaves the 24 columns")
    if panel["type"] not in PANEL_TYPES:
        found.append(f"type '{panel['type']}', expected one of {sorted(PANEL_TYPES)}")
    if panel["type"] == "row":
        return found
    if not panel.get("description"):
        found.append("no description")
    unit = panel["fieldConfig"]["defaults"].get("unit")
    if unit not in UNITS:
        found.append(f"unit '{unit}', expected one of {sorted(UNITS)}")
    if not panel.get("targets"):
        found.append("no targets")
    letters = [target["refId"] for target in panel.get("targets", [])]
    if len(set(letters)) != len(letters):
        found.append(f"refId used more than once: {letters}")
    for where in (panel, *panel.get("targets", [])):
        if where.get("datasource") != DATASOURCE:
            found.append(f"datasource {where.get('datasource')}, expected {DATASOURCE}")
    return found


def overlap(a, b):
    return (a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and
            a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"])


def plain(expression, window="1m"):
    """The expression with Grafana's variables replaced, as Prometheus gets it when all models are chosen."""
    for name, value in (("$__rate_interval", window), ("$__interval", window), ("$model", ".*")):
        expression = expression.replace(name, value)
    return expression


def check_syntax(queries):
    """promtool's verdict on all expressions, written as recording rules."""
    rules = [{"record": f"query:{i}", "expr": plain(expression)} for i, (_, expression) in enumerate(queries)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rules.yml")
        with open(path, "w") as file:
            json.dump({"groups": [{"name": "dashboards", "rules": rules}]}, file, indent=1)  # JSON is YAML
        done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
    return [f"promtool: {done.stdout}{done.stderr}"] if done.returncode != 0 else []


def check_names(queries, scrape):
    """Every metric of ours that a query names is on the page `scrape` (Prometheus' text format)."""
    exposed = set(re.findall(r"^(\w+)[{ ]", scrape, re.M))
    return [f"{place}: the server has no metric '{name}'" for place, expression in queries
            for name in sorted(set(re.findall(r"\b(?:tidegate|process)_\w+", expression)) - exposed)]


def ask(url, path, **parameters):
    """The `data` of Prometheus' answer. HTTPError: Prometheus refused the query."""
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
        return json.load(answer)["data"]


def check_answers(queries, url, window="1m"):
    """Runs each query now; a fault for each that fails or gives no number."""
    faults = []
    for place, expression in queries:
        try:
            result = ask(url, "query", query=plain(expression, window))["result"]
        except urllib.error.HTTPError as error:
            faults.append(f"{place}: {json.load(error)['error']}: {expression}")
            continue
        values = [float(series["value"][1]) for series in result]
        numbers = [v for v in values if v == v]
        print(f"{len(numbers):4} series  {min(numbers, default=0):<12.6g} to {max(numbers, default=0):<12.6g} {place}")
        if not numbers:
            faults.append(f"{place}: {'only NaN' if values else 'no series'}: {expression}")
    return faults


def load():
    return [Dashboard(path) for path in sorted(glob.glob(os.path.join(DASHBOARDS, "*.json")))]


def read(place):
    with (urllib.request.urlopen(place, timeout=10) if "://" in place else open(place, "rb")) as page:
        return page.read().decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scrape", metavar="URL|FILE", help="a server's /metrics page")
    parser.add_argument("--prometheus", metavar="URL", help="such as http://127.0.0.1:9090")
    options = parser.parse_args()
    if not shutil.which("promtool"):
        print("skipped: promtool is missing (Debian: apt-get install prometheus)")
        sys.exit(77)
    dashboards = load()
    queries = [query for dashboard in dashboards for query in dashboard.queries()]
    if not queries:
        sys.exit(f"{DASHBOARDS}: no dashboard with a query there")
    faults = [fault for dashboard in dashboards for fault in dashboard.faults()] + check_syntax(queries)
    if options.scrape:
        faults += check_names(queries, read(options.scrape))
    if options.prometheus:
        faults += check_answers(queries, options.prometheus)
    print("\n".join(faults) or f"{len(dashboards)} dashboards, {len(queries)} queries: no faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
