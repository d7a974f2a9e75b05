"""Draws lines over time as an SVG, for the report of a run. Standard library only."""
import html
import math

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 860, 240, 70, 34, 150, 30
COLORS = ("#3274d9", "#e0752d", "#c4162a", "#56a64b", "#8f3bb8", "#7b7b7b", "#111111")


def ticks(top):
    """Three to six round numbers from 0 to `top`."""
    step = 10 ** math.floor(math.log10(top))
    step = next(s for s in (step / 5, step / 2, step, step * 2) if top / s <= 6)
    return [i * step for i in range(int(top / step + 1e-9) + 1)]


def panel(title, lines, y):
    """lines: {name: [(seconds, value)]}, values >= 0; NaN leaves a gap."""
    points = [p for line in lines.values() for p in line if p[1] == p[1]]
    first, last = min(p[0] for p in points), max(p[0] for p in points)
    top = max(p[1] for p in points) * 1.05 or 1
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(seconds, value):
        return (LEFT + plot_width * (seconds - first) / ((last - first) or 1),
                y + TOP + plot_height * (1 - value / top))

    out = [f'<text x="{LEFT}" y="{y + 20}" font-size="14" font-weight="bold">{html.escape(title)}</text>']
    for value in ticks(top):
        _, level = at(first, value)
        out.append(f'<line x1="{LEFT}" x2="{LEFT + plot_width}" y1="{level:.1f}" y2="{level:.1f}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 6}" y="{level + 4:.1f}" text-anchor="end">{value:g}</text>')
    for second in ticks(last - first or 1):
        x, base = at(first + second, 0)
        out.append(f'<text x="{x:.1f}" y="{base + 16:.1f}" text-anchor="middle">{second:g} s</text>')
    for i, (name, line) in enumerate(lines.items()):
        color = COLORS[i % len(COLORS)]
        path, pen = "", "M"
        for seconds, value in line:
            if value != value:
                pen = "M"
                continue
            x, level = at(seconds, value)
            path += f"{pen}{x:.1f} {level:.1f}"
            pen = "L"
        label = y + TOP + 12 + 16 * i
        out.append(f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.5"/>'
                   f'<text x="{LEFT + plot_width + 10}" y="{label}" fill="{color}">{html.escape(name)}</text>')
    return "\n".join(out)


def svg(panels):
    """panels: [(title, lines)], one below the other."""
    body = "\n".join(panel(title, lines, i * HEIGHT) for i, (title, lines) in enumerate(panels) if lines)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT * len(panels)}" '
            f'font-family="sans-serif" font-size="11">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n')
