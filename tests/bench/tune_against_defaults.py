#!/usr/bin/env python3
"""Whether a search finds a model at least as good as the families' defaults, and whether `recommend` agrees with it.

    tests/bench/tune_against_defaults.py build/release DATA [--budget 10m] [--sets motes,etth1,taylor] [--reports DIR]
                                         [--more-budget 2m] [--more air-t,beijing-temp,...]

For each of three sets: `tidegate compare` trains the defaults of the nine families, at two contexts, with the budget
shared out among them; `tidegate tune` searches for as long; `tidegate recommend` names a family from what it measures.
The search's choice (by validation) is held against the best of the eighteen defaults (by validation), on validation and
on the test part. Of more sets only `recommend` is held against a short search: its family against the one the search
chose, and how much more the best candidate of the recommended family errs. DATA holds motes_single_hop/readings.csv
(Suthaharan et al. 2010), etth1/ETTh1.csv.gz (zhouhaoyi/ETDataset) and classics/taylor.csv (Taylor 2003); for more sets
see tests/e2e/real_series.py, where they get their names. Run it on an idle machine: about an hour.
"""
import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile


def motes(data, folder):
    table = folder / 'motes.csv'
    table.write_bytes((data / 'motes_single_hop/readings.csv').read_bytes())
    return table, ['--time-column', 'reading', '--interval', '5s', '--stream-column', 'mote_id', '--values',
                   'temperature,humidity', '--label-column', 'label']


def etth1(data, folder):
    table = folder / 'etth1.csv'
    table.write_bytes(gzip.decompress((data / 'etth1/ETTh1.csv.gz').read_bytes()))
    return table, ['--target', 'OT']


def taylor(data, folder):
    values = (data / 'classics/taylor.csv').read_text().split()[1:]
    table = folder / 'taylor.csv'
    table.write_text('row,demand\n' + ''.join(f'{i},{value}\n' for i, value in enumerate(values)))
    return table, ['--interval', '30m']


MORE = ('air-t,air-co-gt,beijing-pm2-5,beijing-temp,etth1-hufl,exchange,melbourne,'
        'nab-machine_temperature_system_failure,nab-nyc_taxi')
SERIES = pathlib.Path(__file__).resolve().parents[1] / 'e2e/real_series.py'
SETS = {'motes': motes, 'etth1': etth1, 'taylor': taylor}


def best_default(compared):
    """(validation loss, test MAE, name) of the default with the least validation loss."""
    found = []
    for family in compared['families']:
        for context in ('last_64_readings', 'last_256_readings'):
            if context in family:
                score = family[context]
                found.append((score['validation_loss'], score['mae'], f'{family["family"]}, {context}'))
        if 'state_carried_on' in family:  # the model of the longer context, as it is served
            score = family['state_carried_on']
            found.append((score['validation_loss'], score['mae'], f'{family["family"]}, state carried on'))
    return min(found), min(found, key=lambda one: one[1])


def run(tidegate, reports, name, command, table, columns, *more):
    """The command's answer as JSON; what it printed stands beside it."""
    answer = reports / f'{name}-{command}.json'
    done = subprocess.run([tidegate, command, table, *columns, *more, '--json', answer], capture_output=True, text=True)
    (reports / f'{name}-{command}.txt').write_text(done.stdout)
    if done.returncode != 0:
        raise SystemExit(f'tidegate {command} of {name}: {done.stderr}')
    return json.loads(answer.read_text())


def agreement(tuned, recommended):
    """Of a recommended family: (what the search chose, how often the least loss its best candidate's is)."""
    winner = tuned['finalists'][0]
    same = [one['validation_loss'] for one in tuned['candidates'] if one['candidate']['family'] == recommended]
    return winner['candidate']['family'], min(same, default=float('nan')) / winner['validation_loss']


def compare_recommendations(tidegate, arguments, reports, scratch):
    """A line for each of the other sets."""
    subprocess.run([sys.executable, SERIES, arguments.data, scratch], check=True)
    agreed, near = 0, 0
    names = arguments.more.split(',')
    for name in names:
        table = [scratch / f'{name}.csv', ['--time-column', 'reading', '--interval', '1h', '--stream-column', 'stream']]
        recommended = run(tidegate, reports, name, 'recommend', *table)['recommendation']['family']
        tuned = run(tidegate, reports, name, 'tune', *table, '--budget', arguments.more_budget, '--output', scratch / name)
        chosen, ratio = agreement(tuned, recommended)
        agreed += chosen == recommended
        near += ratio <= 1.03
        print(f'{name:40} recommended {recommended:12} chosen {chosen:18} best of the recommended {ratio:.3f} of the '
              f'least loss ({len(tuned["candidates"])} candidates)', flush=True)
    print(f'of {len(names)} sets the family is the same on {agreed}, within 3 % of the best on {near}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('data', type=pathlib.Path)
    parser.add_argument('--budget', default='10m', help='of compare and tune on each set (default: 10m)')
    parser.add_argument('--sets', default=','.join(SETS), help=f'of {",".join(SETS)} (default: all)')
    parser.add_argument('--more', default=MORE, help="more sets, by real_series.py's names; '': none")
    parser.add_argument('--more-budget', default='2m', help='of the search on each of them (default: 2m)')
    parser.add_argument('--reports', type=pathlib.Path, help='folder for the pages and tables; none are kept without')
    arguments = parser.parse_args()
    tidegate = arguments.build / 'clients/cli/tidegate'
    good = True
    for name in filter(None, arguments.sets.split(',')):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            reports = arguments.reports or folder
            reports.mkdir(parents=True, exist_ok=True)
            table, columns = SETS[name](arguments.data, folder)
            page = ['--budget', arguments.budget, '--report']
            compared = run(tidegate, reports, name, 'compare', table, columns, *page, reports / f'{name}-compare.html')
            tuned = run(tidegate, reports, name, 'tune', table, columns, *page, reports / f'{name}-tune.html',
                        '--output', folder / 'models')
            recommended = run(tidegate, reports, name, 'recommend', table, columns)['recommendation']['family']
        by_validation, by_test = best_default(compared)
        winner = tuned['finalists'][0]
        candidate = winner['candidate']
        chosen, ratio = agreement(tuned, recommended)
        ok = winner['validation_loss'] <= by_validation[0]
        good &= ok
        print(f'--- {name}: {len(tuned["candidates"])} candidates\n'
              f'best default by validation: {by_validation[2]}: validation {by_validation[0]:.4f}, '
              f'test MAE {by_validation[1]:.4f}\n'
              f'best default by test:       {by_test[2]}: validation {by_test[0]:.4f}, test MAE {by_test[1]:.4f}\n'
              f'search:                     {candidate["family"]} {candidate["units"]}, context '
              f'{candidate["context"]}: validation {winner["validation_loss"]:.4f} '
              f'({winner["validation_loss"] / by_validation[0]:.3f} of the default: {"met" if ok else "MISSED"}), '
              f'test MAE {winner["test"]["mae"]:.4f} ({winner["test"]["mae"] / by_validation[1]:.3f})\n'
              f'recommended: {recommended}; the search chose {chosen}; its best of the recommended family is {ratio:.3f} '
              'of the least loss', flush=True)
    if arguments.more:
        with tempfile.TemporaryDirectory() as scratch:
            compare_recommendations(tidegate, arguments, arguments.reports or pathlib.Path(scratch), pathlib.Path(scratch))
    return 0 if good else 1


if __name__ == '__main__':
    raise SystemExit(main())
