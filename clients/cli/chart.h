#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidegate {

// A picture with two axes. Its colours are named: "model", "truth", "last", "seasonal", "linear", "loss",
// "best", "ideal"; ChartStyle says what they are by day and by night.
struct Chart {
  struct Line {
    std::string name = {};                               // in the legend; empty: not there
    std::string colour = {};                             // see above
    std::vector<std::pair<double, double>> points = {};  // NaN: a break
    bool dashed = false;
    bool dots = false;  // at the points too
  };
  struct Band {  // between two lines
    std::string name = {}, colour = {};
    std::vector<double> x = {}, low = {}, high = {};
  };
  std::string title = {}, x_label = {}, y_label = {};
  std::vector<Band> bands = {};  // below the lines
  std::vector<Line> lines = {};
  std::vector<double> marks = {};                                       // x of vertical lines
  std::optional<std::pair<double, double>> x_range = {}, y_range = {};  // none: what there is
  bool y_from_zero = false;
  bool times = false;             // x is seconds since 1970
  bool percent = false;           // y is a share
  int width = 640, height = 300;  // pixels, before it is scaled to where it stands
};

// An <svg> element; wants ChartStyle to be in effect. standalone: a file of its own, style included.
std::string SvgOf(const Chart& chart, bool standalone = false);

// CSS of charts and of the page's colours, light and dark.
std::string ChartStyle();

// Text for HTML and XML.
std::string Escaped(absl::string_view text);

}  // namespace tidegate
