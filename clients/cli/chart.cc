#include "clients/cli/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "clients/cli/chart_axis.h"

namespace tidegate {
namespace {

constexpr double kLeft = 58, kRight = 14, kTop = 52, kBottom = 44;

// The least range that holds all values it was shown.
struct Range {
  void Show(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
};

std::pair<double, double> Whole(Range range, double margin) {
  if (range.low > range.high) return {0, 1};
  if (range.low == range.high) return {range.low - 1, range.high + 1};
  const double more = margin * (range.high - range.low);
  return {range.low - more, range.high + more};
}

std::pair<double, double> RangeOfX(const Chart& chart) {
  if (chart.x_range) return *chart.x_range;
  Range range;
  for (const Chart::Line& line : chart.lines) {
    for (const auto& [x, y] : line.points) range.Show(x);
  }
  for (const Chart::Band& band : chart.bands) {
    for (const double x : band.x) range.Show(x);
  }
  return Whole(range, 0);
}

std::pair<double, double> RangeOfY(const Chart& chart) {
  if (chart.y_range) return *chart.y_range;
  Range range;
  for (const Chart::Line& line : chart.lines) {
    for (const auto& [x, y] : line.points) range.Show(y);
  }
  for (const Chart::Band& band : chart.bands) {
    for (const double y : band.low) range.Show(y);
    for (const double y : band.high) range.Show(y);
  }
  if (!chart.y_from_zero) return Whole(range, 0.06);
  range.Show(0);
  const auto [low, high] = Whole(range, 0);
  return {low, high + 0.06 * (high - low)};
}

class Drawing {
 public:
  explicit Drawing(const Chart& chart)
      : chart_(chart),
        right_(chart.width - kRight),
        bottom_(chart.height - kBottom),
        x_(chart.times ? ChartAxis::Kind::kTime : ChartAxis::Kind::kNumber, RangeOfX(chart).first,
           RangeOfX(chart).second, kLeft, right_),
        y_(chart.percent ? ChartAxis::Kind::kPercent : ChartAxis::Kind::kNumber, RangeOfY(chart).first,
           RangeOfY(chart).second, bottom_, kTop) {}

  std::string Draw() {
    Axes();
    for (const Chart::Band& band : chart_.bands) DrawBand(band);
    for (const double x : chart_.marks) {
      Add("<line class='mark' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>", x_.Pixel(x), x_.Pixel(x), kTop,
          bottom_);
    }
    for (const Chart::Line& line : chart_.lines) DrawLine(line);
    Legend();
    return std::move(svg_);
  }

 private:
  template <typename... Args>
  void Add(const absl::FormatSpec<Args...>& format, const Args&... args) {
    absl::StrAppendFormat(&svg_, format, args...);
    svg_ += '\n';
  }

  void Axes() {
    Add("<text class='title' x='%.1f' y='17'>%s</text>", kLeft, Escaped(chart_.title));
    for (const auto& [value, text] : y_.Ticks(5)) {
      const double y = y_.Pixel(value);
      Add("<line class='grid' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>", kLeft, right_, y, y);
      Add("<text class='tick' text-anchor='end' x='%.1f' y='%.1f'>%s</text>", kLeft - 7, y + 4,
          Escaped(text));
    }
    for (const auto& [value, text] : x_.Ticks(6)) {
      const double x = x_.Pixel(value);
      Add("<line class='axis' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>", x, x, bottom_, bottom_ + 4);
      Add("<text class='tick' text-anchor='middle' x='%.1f' y='%.1f'>%s</text>", x, bottom_ + 17,
          Escaped(text));
    }
    Add("<line class='axis' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>", kLeft, right_, bottom_, bottom_);
    Add("<text class='tick' text-anchor='middle' x='%.1f' y='%.1f'>%s</text>", (kLeft + right_) / 2,
        chart_.height - 8.0, Escaped(chart_.x_label));
    Add("<text class='tick' text-anchor='middle' transform='translate(13 %.1f) rotate(-90)'>%s</text>",
        (kTop + bottom_) / 2, Escaped(chart_.y_label));
  }

  void DrawBand(const Chart::Band& band) {
    std::string points;
    for (std::size_t i = 0; i < band.x.size(); ++i)
      absl::StrAppendFormat(&points, "%.1f,%.1f ", x_.Pixel(band.x[i]), y_.Pixel(band.high[i]));
    for (std::size_t i = band.x.size(); i-- > 0;)
      absl::StrAppendFormat(&points, "%.1f,%.1f ", x_.Pixel(band.x[i]), y_.Pixel(band.low[i]));
    Add("<polygon class='band %s' points='%s'/>", band.colour, points);
  }

  void DrawLine(const Chart::Line& line) {
    std::string path;
    bool goes_on = false;
    for (const auto& [x, y] : line.points) {
      const bool known = std::isfinite(y);
      if (known) absl::StrAppendFormat(&path, "%c%.1f %.1f", goes_on ? 'L' : 'M', x_.Pixel(x), y_.Pixel(y));
      goes_on = known;
      if (known && line.dots)
        Add("<circle class='dot %s' cx='%.1f' cy='%.1f' r='3.2'/>", line.colour, x_.Pixel(x), y_.Pixel(y));
    }
    Add("<path class='line %s%s' d='%s'/>", line.colour, line.dashed ? " dashed" : "", path);
  }

  void Legend() {
    double x = kLeft;
    const auto name = [&](const std::string& text) {
      Add("<text class='tick' x='%.1f' y='38'>%s</text>", x + 24, Escaped(text));
      x += 40 + 6.4 * static_cast<double>(text.size());
    };
    for (auto last = chart_.lines.rbegin(); last != chart_.lines.rend(); ++last) {  // what is on top first
      const Chart::Line& line = *last;
      if (line.name.empty()) continue;
      Add("<path class='line %s%s' d='M%.1f 34h18'/>", line.colour, line.dashed ? " dashed" : "", x);
      name(line.name);
    }
    for (const Chart::Band& band : chart_.bands) {
      if (band.name.empty()) continue;
      Add("<rect class='band %s' x='%.1f' y='28' width='18' height='11'/>", band.colour, x);
      name(band.name);
    }
  }

  const Chart& chart_;
  double right_, bottom_;
  ChartAxis x_, y_;
  std::string svg_;
};

}  // namespace

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"'", "&#39;"}, {"\"", "&quot;"}});
}

std::string SvgOf(const Chart& chart, bool standalone) {
  const std::string size = standalone
                               ? absl::StrFormat(" xmlns='http://www.w3.org/2000/svg' width='%d' height='%d'",
                                                 chart.width, chart.height)
                               : "";
  return absl::StrFormat("<svg class='chart'%s viewBox='0 0 %d %d' role='img' aria-label='%s'>\n%s%s</svg>\n",
                         size, chart.width, chart.height, Escaped(chart.title),
                         standalone
                             ? absl::StrCat("<style>", ChartStyle(),
                                            "</style>\n<rect class='page' width='100%' height='100%'/>\n")
                             : "",
                         Drawing(chart).Draw());
}

std::string ChartStyle() {
  return R"(
:root{color-scheme:light dark;--page:#fff;--panel:#f6f8fa;--ink:#1f2328;--faint:#59636e;--rule:#d9dee3;
--model:#0b62c4;--truth:#1f2328;--last:#8a929b;--seasonal:#bc4c00;--linear:#1a7f37;--ideal:#8a929b;
--loss:#0b62c4;--best:#bc4c00}
@media(prefers-color-scheme:dark){:root{--page:#0d1117;--panel:#161b22;--ink:#e6edf3;--faint:#9198a1;--rule:#30363d;
--model:#58a6ff;--truth:#e6edf3;--last:#848d97;--seasonal:#f0883e;--linear:#3fb950;--ideal:#848d97;
--loss:#58a6ff;--best:#f0883e}}
.chart text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--faint)}
.chart .title{font-size:14px;font-weight:600;fill:var(--ink)}
.chart .page{fill:var(--page)}
.grid{stroke:var(--rule);stroke-width:1}
.axis{stroke:var(--faint);stroke-width:1}
.mark{stroke:var(--faint);stroke-width:1;stroke-dasharray:2 3}
.line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}
.dashed{stroke-dasharray:5 4}
.dot{fill:var(--c)}
.band{fill:var(--c);opacity:.2}
.model{--c:var(--model)}.truth{--c:var(--truth)}.last{--c:var(--last)}.seasonal{--c:var(--seasonal)}
.linear{--c:var(--linear)}.ideal{--c:var(--ideal)}.loss{--c:var(--loss)}.best{--c:var(--best)}
)";
}

}  // namespace tidegate
