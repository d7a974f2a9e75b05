#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// A whole HTML page, nothing outside it, with the style of charts, tables (class "scroll" around them) and
// tiles (class "tiles"). title: plain text; body: HTML. Left-aligned cells have the class "text", a row that
// stands out the class "model".
std::string PageOf(absl::string_view title, absl::string_view body);

// A tile with a large value and what it is; both plain text.
std::string Tile(absl::string_view value, absl::string_view what);

// "0.1234", four digits; NaN is a dash.
std::string Number(double value);

// Writes a file and says so. Unavailable: it cannot be written.
absl::Status WriteText(const std::string& file, absl::string_view text);

}  // namespace tidegate
