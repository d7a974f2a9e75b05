#!/usr/bin/env python3
"""Compares the metrics of a live server with those that the alerts, the dashboards and the README name.

    tests/deploy/check_metric_names.py --scrape URL|FILE [--rules FILE]... [--readme FILE]

Faults: a rule or a dashboard's query names a metric that the server's /metrics page does not have; the page has one that
the README's table of metrics does not explain, or with another kind, other labels or another text (a library's own need
only be named below the table); the table has one that is not on the page; an alert has no row in the README's table of
alerts, or no unit test. Prints one line per fault and exits with 1. Standard library only.
"""
import argparse
import glob
import os
import re
import sys

import check_dashboards

SOURCE = check_dashboards.SOURCE
RULES = os.path.join(SOURCE, "deploy/prometheus/rules")
OURS = re.compile(r"(?<![\w:])(?:tidegate|process)_\w+(?![\w:])")  # recorded series have colons
SUFFIXES = re.compile(r"_(bucket|sum|count)$")  # of a histogram's samples


def families(page):
    """{name: (kind, labels, help)} of a page in Prometheus' text format; `le` is no label of its own."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M))
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", page, re.M))
    labels = {name: set() for name in kinds}
    for name, inside in re.findall(r"^(\w+)\{(.*)\} ", page, re.M):
        family = name if name in kinds else SUFFIXES.sub("", name)
        labels[family] |= set(re.findall(r'(\w+)="', inside)) - {"le"}
    return {name: (kind, labels[name], helps.get(name, "")) for name, kind in kinds.items()}


def section(text, title):
    """Of a text in Markdown, what stands below `## title`."""
    return re.search(rf"^## {title}$(.*?)(?=^## |\Z)", text, re.M | re.S)[1]


def documented(readme):
    """{name: (kind, labels, help)} of the README's table of metrics."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| (.*) \|$", section(readme, "Metrics"), re.M)
    return {name: (kind, set(re.findall(r"\w+", labels)), text) for name, kind, labels, text in rows}


def rule_names(text):
    """(line number, name) of every metric of the server that a file of rules names."""
    for number, line in enumerate(text.splitlines(), 1):
        for name in OURS.findall(line.split("#")[0]):
            yield number, name


def check_rules(path, exposed):
    with open(path) as file:
        text = file.read()
    return [f"{os.path.basename(path)}, line {number}: the server has no metric '{name}'"
            for number, name in rule_names(text) if name not in exposed and SUFFIXES.sub("", name) not in exposed]


def check_readme(readme, exposed):
    table, faults = documented(readme), []
    theirs = {name for name in re.findall(r"`(\w+)`", section(readme, "Metrics")) if not OURS.fullmatch(name)}
    for name in sorted((exposed.keys() | table.keys()) - theirs):
        if name not in table:
            faults.append(f"README: the table of metrics does not have '{name}'")
        elif name not in exposed:
            faults.append(f"README: the server has no metric '{name}'")
        else:
            faults += [f"README: '{name}': {what} {written}, but the server says {said}" for what, written, said in
                       zip(("kind", "labels", "text"), table[name], exposed[name]) if written != said]
    return faults


def check_alerts(paths, readme):
    with open(os.path.join(SOURCE, "tests/deploy/rules_test.yml")) as file:
        tested = set(re.findall(r"alertname: (\w+)\n +exp_alerts:", file.read()))
    explained = set(re.findall(r"^\| `(\w+)` \|", section(readme, "Alerts"), re.M))
    alerts = set()
    for path in paths:
        with open(path) as file:
            alerts |= set(re.findall(r"^ *- alert: (\w+)$", file.read(), re.M))
    faults = [f"README: the table of alerts does not have '{name}'" for name in sorted(alerts - explained)]
    faults += [f"README: there is no alert '{name}'" for name in sorted(explained - alerts)]
    return faults + [f"rules_test.yml: '{name}' is never seen to fire" for name in sorted(alerts - tested)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scrape", metavar="URL|FILE", required=True, help="a server's /metrics page")
    parser.add_argument("--rules", metavar="FILE", action="append", help="default: all of deploy/prometheus/rules")
    parser.add_argument("--readme", metavar="FILE", default=os.path.join(SOURCE, "README.md"))
    options = parser.parse_args()
    page = check_dashboards.read(options.scrape)
    readme = check_dashboards.read(options.readme)
    rules = options.rules or sorted(glob.glob(os.path.join(RULES, "*.yml")))
    queries = [query for dashboard in check_dashboards.load() for query in dashboard.queries()]
    exposed = families(page)
    if not exposed or not rules or not queries:
        sys.exit(f"{len(exposed)} metrics, {len(rules)} files of rules, {len(queries)} queries: nothing to compare")
    faults = [fault for path in rules for fault in check_rules(path, exposed)]
    faults += check_dashboards.check_names(queries, page) + check_readme(readme, exposed) + check_alerts(rules, readme)
    print("\n".join(faults) or f"{len(exposed)} metrics, {len(rules)} files of rules, {len(queries)} queries: no faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
