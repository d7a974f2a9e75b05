#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "clients/cli/readings.h"
#include "engine/model/spec.h"
#include "engine/train/trainer.h"

namespace tidegate {

// What the flags of `tidegate train` say.
struct TrainCommand {
  std::string file;
  ReadingOptions readings;
  std::size_t label_margin = 0;
  std::string output = "models";
  std::string cell = "gru";
  std::size_t units = 32;
  std::size_t layers = 1;
  std::size_t filters = 0;  // of a convolution below them; 0: none
  std::size_t kernel = 5;
  std::size_t stride = 1, dilation = 1;  // of the convolution
  bool residual = false;
  float dropout = 0;
  std::string normalisation = "fixed";
  std::string inputs = "difference";
  std::size_t segment = 0;  // readings; 0: none
  bool peepholes = false;
  bool bidirectional = false;
  std::size_t projection = 0;
  bool recursive = false;
  bool each_column = false;
  std::string cycle = "none";
  int threads = 0;  // 0: one per core
  bool resume = false;
  std::string log;
  TrainOptions options;
};

// The layers of the network.
std::vector<LayerSpec> LayersOf(const TrainCommand& command);

// Segments, their chains, and the parallel head that goes with them. Says where it rounds up.
void SetSegments(const TrainCommand& command, TrainOptions& options);

// InvalidArgument: neither auto, none nor a number of readings.
absl::Status SetCycle(const std::string& cycle, TrainOptions& options);

// InvalidArgument: flags that would do nothing.
absl::Status CheckFlags(const TrainCommand& command);

}  // namespace tidegate
