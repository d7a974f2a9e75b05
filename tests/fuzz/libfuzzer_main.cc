// Ties a fuzz target to libFuzzer, whose flags these are: TARGET [-runs=N] [-max_total_time=SECONDS] CORPUS.
// The seeds are written into the folder CORPUS before it is read.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerInitialize(const int* argc, const char* const* const* argv) {
  const std::filesystem::path corpus = (*argv)[*argc - 1];
  if (!std::filesystem::is_directory(corpus)) return 0;  // a single input to be run again
  const std::vector<std::string> seeds = tidegate::Seeds();
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    std::ofstream(corpus / absl::StrCat("seed-", i), std::ios::binary) << seeds[i];
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tidegate::Fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
