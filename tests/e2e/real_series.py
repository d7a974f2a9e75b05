#!/usr/bin/env python3
"""Writes real series as CSV files for `tidegate train` and `tidegate push`, one file for each kind of sensor.

    real_series.py DATA OUTPUT

DATA holds the data sets as their origins give them: motes_single_hop/readings.csv, etth1/ETTh1.csv.gz, nab/data/...
(see the functions below); what is not there is left out. Each file has the columns reading (a row number on the
series' time grid, with gaps where readings are missing), stream and value (empty: missing).
"""

import csv
import datetime
import gzip
import pathlib
import sys


def rows(path, **dialect):
    opener = gzip.open if path.suffix == '.gz' else open
    with opener(path, 'rt', newline='') as file:
        yield from csv.reader(file, **dialect)


def number(cell):
    """The cell as it stands, or empty for what the data sets call missing."""
    cell = cell.strip().replace(',', '.')
    return '' if cell in ('', 'NA', 'nan', '-200') else cell


def columns(path, names, **dialect):
    """For each name the column's cells; the first line is the header."""
    lines = rows(path, **dialect)
    header = [name.strip() for name in next(lines)]
    table = [line for line in lines if any(cell.strip() for cell in line)]
    return {name: [number(line[header.index(name)]) for line in table] for name in names}


def by_time(path, interval):
    """{tick: cell} of a file of timestamps and values; what does not come after the row before it is left out."""
    ticks, last, begin = {}, -1, None
    lines = rows(path)
    next(lines)
    for time, value in lines:
        seconds = datetime.datetime.fromisoformat(time).replace(tzinfo=datetime.timezone.utc).timestamp()
        begin = seconds if begin is None else begin
        tick = round((seconds - begin) / interval)
        if tick > last:
            ticks[tick], last = number(value), tick
    return ticks


def motes(data):
    lines = rows(data / 'motes_single_hop/readings.csv')
    header = next(lines)
    table = list(lines)
    for quantity in 'temperature', 'humidity':
        streams = {}
        for line in table:
            stream = streams.setdefault(line[header.index('mote_id')], [])
            stream.append(number(line[header.index(quantity)]))
        yield f'motes-{quantity}', streams


def one_each(prefix, path, names, **dialect):
    """A file for each column."""
    for name, cells in columns(path, names, **dialect).items():
        short = ''.join(c if c.isalnum() else '-' for c in name.lower()).strip('-')
        yield f'{prefix}-{short}', {short: cells}


def ett(data):
    yield from one_each('etth1', data / 'etth1/ETTh1.csv.gz', ['HUFL', 'HULL', 'MUFL', 'MULL', 'LUFL', 'LULL', 'OT'])


def beijing(data):
    yield from one_each('beijing', next((data / 'beijing_pm25').glob('*.csv.gz')),
                        ['pm2.5', 'DEWP', 'TEMP', 'PRES', 'Iws'])


def air(data):
    names = ['CO(GT)', 'PT08.S1(CO)', 'C6H6(GT)', 'PT08.S2(NMHC)', 'NOx(GT)', 'PT08.S3(NOx)', 'NO2(GT)', 'PT08.S4(NO2)',
             'PT08.S5(O3)', 'T', 'RH', 'AH']
    yield from one_each('air', data / 'air_quality_uci/AirQualityUCI.csv.gz', names, delimiter=';')


def exchange(data):
    table = list(rows(data / 'exchange_rate/exchange_rate.txt.gz'))
    yield 'exchange', {str(c): [number(line[c]) for line in table] for c in range(len(table[0]))}


def classics(data):
    folder = data / 'classics'
    for name, file, column in (('taylor', 'taylor.csv', 'Y'), ('melbourne', 'temps.csv', 'Daily minimum temperatures'),
                               ('sunspots', 'sunspot_month.csv', 'sunspots'),
                               ('co2', 'co2_weekly_maunaloa.csv', 'co2')):
        yield name, {name: columns(folder / file, [column])[column]}
    power = data / 'household_power_daily/household_power_consumption_days.csv'
    yield 'power', {'power': columns(power, ['Global_active_power'])['Global_active_power']}


def nab(data):
    for path in sorted((data / 'nab/data/realKnownCause').glob('*.csv.gz')):
        name = path.name.removesuffix('.csv.gz')
        interval = {'ambient_temperature_system_failure': 3600, 'nyc_taxi': 1800}.get(name, 300)
        yield f'nab-{name}', {name: by_time(path, interval)}
    tweets = sorted((data / 'nab/data/realTweets').glob('*.csv.gz'))
    yield 'nab-tweets', {path.name.removesuffix('.csv.gz').split('_')[-1]: by_time(path, 300) for path in tweets}


def write(path, streams):
    with open(path, 'w', newline='') as file:
        out = csv.writer(file)
        out.writerow(['reading', 'stream', 'value'])
        for stream, cells in streams.items():
            for tick, cell in cells.items() if isinstance(cells, dict) else enumerate(cells):
                out.writerow([tick, stream, cell])


def main():
    data, output = map(pathlib.Path, sys.argv[1:3])
    output.mkdir(parents=True, exist_ok=True)
    for source in motes, ett, beijing, air, exchange, classics, nab:
        try:
            for name, streams in source(data):
                write(output / f'{name}.csv', streams)
        except (FileNotFoundError, StopIteration) as missing:
            print(f'left out: {missing}', file=sys.stderr)


if __name__ == '__main__':
    main()
