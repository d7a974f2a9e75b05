#include "clients/cli/page.h"

#include <cmath>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/chart.h"

namespace tidegate {
namespace {

constexpr char kPageStyle[] = R"(
body{margin:0 auto;max-width:1120px;padding:24px 20px 60px;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:36px 0 8px}
p{margin:4px 0 10px;max-width:80ch}.faint{color:var(--faint)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:20px 0}
.tile{background:var(--panel);border:1px solid var(--rule);border-radius:8px;padding:12px 14px}
.tile b{display:block;font-size:21px;font-weight:650;font-variant-numeric:tabular-nums}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(430px,1fr));gap:18px}
.chart{width:100%;height:auto;display:block}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px;width:100%}
th,td{padding:4px 10px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{color:var(--faint);font-weight:500}td.text,th.text{text-align:left;white-space:normal}
tr.model td{font-weight:600;border-top:2px solid var(--rule)}tr.model td.text{color:var(--model)}
@media(max-width:520px){.two{grid-template-columns:1fr}}
)";

}  // namespace

std::string PageOf(absl::string_view title, absl::string_view body) {
  return absl::StrCat(
      "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>\n"
      "<meta name='viewport' content='width=device-width,initial-scale=1'>\n<title>",
      Escaped(title), "</title>\n<style>", ChartStyle(), kPageStyle, "</style></head>\n<body>\n<h1>",
      Escaped(title), "</h1>\n", body, "</body></html>\n");
}

std::string Tile(absl::string_view value, absl::string_view what) {
  return absl::StrCat("<div class='tile'><b>", Escaped(value), "</b><span class='faint'>", Escaped(what),
                      "</span></div>\n");
}

std::string Number(double value) {
  if (std::isnan(value)) return "–";
  return absl::StrFormat("%#.4g", value);
}

absl::Status WriteText(const std::string& file, absl::string_view text) {
  std::ofstream stream(file, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream) return absl::UnavailableError(absl::StrCat(file, ": cannot be written"));
  std::cout << "Wrote " << file << ".\n";
  return absl::OkStatus();
}

}  // namespace tidegate
