#!/usr/bin/env python3
"""Puts sources that are built together into one file for clang-tidy, which spends its time on headers.

usage: tidy_units.py BUILD < SOURCES

BUILD has a compile_commands.json. Of SOURCES, one a line from the repository's root, those that it builds are
included by BUILD/units/*.cc, at most 25 of one target by one file, or one where names are shared; the
units' own compile_commands.json is beside them. Prints the units.
"""
import json
import pathlib
import re
import sys

MOST = 25  # sources of a unit, as where they are built


def main() -> None:
    build = pathlib.Path(sys.argv[1]).resolve()
    root = pathlib.Path.cwd()
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        commands.setdefault(entry["file"], entry["command"])  # of a source that is built twice, the first
    targets = {}
    for line in sys.stdin:
        source = str(root / line.strip())
        if source in commands:
            target = re.search(r" -o (\S+)\.dir/", commands[source])[1]
            targets.setdefault(target, []).append(source)

    folder = build / "units"
    folder.mkdir(exist_ok=True)
    units = []
    for target, sources in sorted(targets.items(), key=lambda one: -len(one[1])):  # the longest first
        name = target.rpartition("/")[2]
        shared = target.startswith("tests/") and not name.endswith("_test")
        parts = -(-len(sources) // (1 if shared else MOST))
        for number in range(parts):
            part = sorted(sources)[number::parts]
            unit = folder / f"{name}_{number}.cc"
            unit.write_text("".join(f'#include "{source}"  // NOLINT\n' for source in part))
            command = re.sub(r" -o .*", "", commands[part[0]])
            units.append({"directory": str(build), "command": f"{command} -c {unit}", "file": str(unit)})
    (folder / "compile_commands.json").write_text(json.dumps(units))
    for unit in units:
        print(unit["file"])


if __name__ == "__main__":
    main()
