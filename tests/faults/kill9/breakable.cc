// Makes a server's promises breakable at run time, by the environment variable TIDEGATE_BREAK: so that the
// tests show that they would notice.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "server/store/broken.h"

namespace tidegate {
namespace {

Break ByName(const std::string& name) {
  if (name == "acknowledge-without-journal") return Break::kAcknowledgeWithoutJournal;
  if (name == "no-dedupe") return Break::kNoDedupe;
  if (name == "skip-group") return Break::kSkipGroup;
  if (name.empty()) return Break::kNothing;
  std::fprintf(stderr, "TIDEGATE_BREAK: '%s' is not known\n", name.c_str());
  std::abort();
}

[[maybe_unused]] const bool set = [] {
  const char* const name = std::getenv("TIDEGATE_BREAK");
  broken = ByName(name == nullptr ? "" : name);
  return true;
}();

}  // namespace
}  // namespace tidegate
