#pragma once

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/roofline.h"

namespace tidegate {

// PyTorch and ONNX Runtime, timed by a script of this folder in processes of their own. The environment
// variable TIDEGATE_BENCH_PYTHON names interpreters, separated by colons (default: python3); each is started
// and asked which frameworks it has. None at all is no error. Not thread-safe.
class FrameworkPeers {
 public:
  explicit FrameworkPeers(const std::string& script = "framework_peers.py");
  ~FrameworkPeers();
  FrameworkPeers(const FrameworkPeers&) = delete;
  FrameworkPeers& operator=(const FrameworkPeers&) = delete;

  // What the frameworks answer to one line, a number each.
  std::vector<std::pair<std::string, double>> Ask(const std::string& line);

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
