#!/usr/bin/env python3
"""Whether a search finds a model at least as good as the families' defaults, and whether `recommend` agrees with it.

    tests/bench/tune_against_defaults.py build/release DATA [--budget 10m] [--sets motes,etth1,taylor] [--reports DIR]

For each set: `tidegate compare` trains the defaults of the nine families, at two contexts, with the budget shared out
among them; `tidegate tune` searches for as long; `tidegate recommend` names a family from what it measures. The
search's choice (by validation) is held against the best of the eighteen defaults (by validation), on validation and
on the test part. DATA holds motes_single_hop/readings.csv (Suthaharan et al. 2010), etth1/ETTh1.csv.gz (zhouhaoyi/
ETDataset) and classics/taylor.csv (Taylor 2003). Run it on an idle machine.
"""
import argparse
import gzip
import json
import pathlib
import subprocess
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('data', type=pathlib.Path)
    parser.add_argument('--budget', default='10m')
    parser.add_argument('--sets', default=','.join(SETS))
    parser.add_argument('--reports', type=pathlib.Path, help='folder for the pages and tables; none are kept without')
    arguments = parser.parse_args()
    tidegate = arguments.build / 'clients/cli/tidegate'
    good = True
    for name in arguments.sets.split(','):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            reports = arguments.reports or folder
            reports.mkdir(parents=True, exist_ok=True)
            table, columns = SETS[name](arguments.data, folder)

            def run(command, *more):
                answer = reports / f'{name}-{command}.json'
                text = subprocess.run([tidegate, command, table, *columns, *more, '--json', answer], check=True,
                                      capture_output=True, text=True).stdout
                (reports / f'{name}-{command}.txt').write_text(text)
                return json.loads(answer.read_text())

            page = ['--budget', arguments.budget, '--report']
            compared = run('compare', *page, reports / f'{name}-compare.html')
            tuned = run('tune', *page, reports / f'{name}-tune.html', '--output', folder / 'models')
            recommended = run('recommend')['recommendation']['family']
        by_validation, by_test = best_default(compared)
        winner = tuned['finalists'][0]
        candidate = winner['candidate']
        same = [one['validation_loss'] for one in tuned['candidates'] if one['candidate']['family'] == recommended]
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
              f'recommended: {recommended}; the search chose {candidate["family"]}; its best of the recommended '
              f'family is {min(same, default=float("nan")) / winner["validation_loss"]:.3f} of the least loss',
              flush=True)
    return 0 if good else 1


if __name__ == '__main__':
    raise SystemExit(main())
