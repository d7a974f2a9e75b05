#include "engine/model/read_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace tidegate {

// Not by iterators of the stream's buffer, which throw where reading fails.
absl::StatusOr<std::string> ReadWholeFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return absl::NotFoundError(absl::StrCat("cannot read ", path.string(), ": ", std::strerror(errno)));
  std::string bytes, part(std::size_t{1} << 16, '\0');
  do {
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    bytes.append(part, 0, static_cast<std::size_t>(file.gcount()));
  } while (file);
  if (file.bad())
    return absl::UnavailableError(absl::StrCat("cannot read ", path.string(), ": ", std::strerror(errno)));
  return bytes;
}

}  // namespace tidegate
