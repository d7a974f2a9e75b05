#pragma once

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/roofline.h"

namespace tidegate {

// PyTorch and ONNX Runtime, timed by framework_peers.py in processes of their own. The environment variable
// TIDEGATE_BENCH_PYTHON names interpreters, separated by colons (default: python3); each is started and asked
// which frameworks it has. None at all is no error. Not thread-safe.
class FrameworkPeers {
 public:
  FrameworkPeers();
  ~FrameworkPeers();
  FrameworkPeers(const FrameworkPeers&) = delete;
  FrameworkPeers& operator=(const FrameworkPeers&) = delete;

  // Nanoseconds of one step of one stream, by framework.
  std::vector<std::pair<std::string, double>> Measure(const StepShape& shape);

 private:
  struct Interpreter {
    int process = 0;
    FILE* to = nullptr;
    FILE* from = nullptr;
    std::vector<std::string> frameworks;
  };
  std::vector<Interpreter> interpreters_;
};

}  // namespace tidegate
