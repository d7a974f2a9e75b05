// Runs a fuzz target without libFuzzer, the same every time:
//   TARGET RUNS     the seeds, then RUNS mutations of them, half of them of the mutation before
//   TARGET FILE     one input, such as libFuzzer leaves behind
// When a run ends the process, its input is in the file TARGET.crash of the present folder.

#include <charconv>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>

#include "absl/strings/numbers.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/mutate.h"

namespace {

std::string crash_file;
std::string present;

void Run(std::string input) {
  present = std::move(input);
  tidegate::Fuzz(present);
}

// Sanitizers and Require end in abort, or in their own exit.
void Keep(int signal) {
  std::ofstream(crash_file, std::ios::binary) << present;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s RUNS|FILE\n", argv[0]), 2;
  int runs = 0;
  if (!absl::SimpleAtoi(argv[1], &runs)) {
    std::ifstream file(argv[1], std::ios::binary);
    Run({std::istreambuf_iterator<char>(file), {}});
    return 0;
  }
  crash_file = std::string(argv[0]) + ".crash";
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) std::signal(signal, Keep);
  const std::vector<std::string> seeds = tidegate::Seeds();
  for (const std::string& seed : seeds) Run(seed);
  std::mt19937_64 random(1);
  for (int i = 0; i < runs; ++i) {
    const bool further = random() % 2 == 0 && !present.empty();
    Run(tidegate::Mutate(further ? present : seeds[random() % seeds.size()], random));
  }
  std::printf("%d runs, nothing broken\n", runs);
}
