#include "clients/cli/csv.h"

#include <csv.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace tidegate {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

// What libcsv's callbacks know. It reports every line end (CSV_REPALL_NL), which is how lines are counted;
// line ends inside quotes are counted from the cells.
struct Reader {
  absl::string_view file;
  const CsvRowCallback& callback;
  std::vector<std::string> cells = {};
  std::size_t columns = 0;   // of the header; 0: not read yet
  std::size_t line = 1;      // on which the next cell begins
  std::size_t row_line = 1;  // on which the present row began
  bool after_cr = false;     // the last byte was a CR, so that a LF belongs to it
  absl::Status status = absl::OkStatus();

  void Cell(absl::string_view text) {
    if (cells.empty()) row_line = line;
    line += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    after_cr = false;
    if (status.ok() && absl::StrContains(text, '\0')) {
      status = absl::InvalidArgumentError(
          absl::StrCat(file, ":", row_line, ": a NUL byte: this is not a text file in UTF-8"));
    }
    cells.emplace_back(text);
  }

  void LineEnd(int end) {  // the byte that ended the line, -1 at the end of the file
    if (!cells.empty()) Row();
    if (end == '\r' || (end == '\n' && !after_cr)) ++line;
    after_cr = end == '\r';
  }

  void Row() {
    if (columns == 0) columns = cells.size();
    if (status.ok() && cells.size() != columns) {
      status = absl::InvalidArgumentError(absl::StrCat(file, ":", row_line, ": ", cells.size(),
                                                       cells.size() == 1 ? " cell" : " cells",
                                                       ", the header has ", columns, " columns"));
    }
    if (status.ok()) status = callback({row_line, cells});
    cells.clear();
  }
};

void OnCell(void* text, std::size_t size, void* reader) {
  static_cast<Reader*>(reader)->Cell({static_cast<const char*>(text), size});
}

void OnLineEnd(int end, void* reader) { static_cast<Reader*>(reader)->LineEnd(end); }

absl::Status QuoteError(const Reader& reader) {
  return absl::InvalidArgumentError(
      absl::StrCat(reader.file, ":", reader.line,
                   ": a quote that does not open or close a cell; within a quoted cell write \"\""));
}

// Parses what `next` gives until it is empty; a chunk must live until the next call.
absl::Status ParseChunks(absl::string_view file, const CsvRowCallback& row,
                         const std::function<absl::string_view()>& next) {
  csv_parser parser;
  if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) != 0) {
    return absl::InternalError("libcsv does not start");
  }
  Reader reader{file, row};
  bool parsed = true, first = true;
  while (parsed && reader.status.ok()) {
    absl::string_view chunk = next();
    if (chunk.empty()) break;
    if (first) absl::ConsumePrefix(&chunk, kByteOrderMark);
    first = false;
    parsed = csv_parse(&parser, chunk.data(), chunk.size(), OnCell, OnLineEnd, &reader) == chunk.size();
  }
  if (parsed && reader.status.ok()) parsed = csv_fini(&parser, OnCell, OnLineEnd, &reader) == 0;
  csv_free(&parser);
  if (reader.status.ok() && !parsed) reader.status = QuoteError(reader);
  return reader.status;
}

constexpr std::size_t kChunk = 1 << 16;  // so that an error in the first rows does not wait for the last

}  // namespace

absl::Status ParseCsv(absl::string_view text, absl::string_view file, const CsvRowCallback& row) {
  return ParseChunks(file, row, [&text] {
    const absl::string_view chunk = text.substr(0, kChunk);
    text.remove_prefix(chunk.size());
    return chunk;
  });
}

absl::Status ReadCsv(const std::filesystem::path& file, const CsvRowCallback& row) {
  std::error_code unknown;  // what cannot be looked at cannot be opened either
  if (std::filesystem::is_directory(file, unknown)) {
    return absl::NotFoundError(absl::StrCat(file.string(), ": is a folder, not a file"));
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return absl::NotFoundError(absl::StrCat(file.string(), ": ", std::strerror(errno)));
  std::string buffer(kChunk, '\0');
  absl::Status status = ParseChunks(file.string(), row, [&] {
    stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    return absl::string_view(buffer.data(), static_cast<std::size_t>(stream.gcount()));
  });
  if (status.ok() && stream.bad())
    return absl::UnavailableError(absl::StrCat(file.string(), ": ", std::strerror(errno)));
  return status;
}

}  // namespace tidegate
