#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tidegate {

// A model as the store knows it. Its number stands in journal entries and states, and is never reused.
inline constexpr std::uint32_t kLastModel = 65'535;
struct StoredModel {
  std::uint32_t number = 0;
  std::string name;
  std::uint64_t version = 0;
  std::string checksum;  // of its weights
  std::string build;     // of the kernels that stepped it: states and replays are bit-identical within one
  bool operator==(const StoredModel&) const = default;
};

// What a stored model is to the models that are served.
enum class ModelMatch {
  kSame,           // nothing stands in the way
  kMissing,        // none of that name
  kOtherVersion,   // of that name there are others only
  kOtherChecksum,  // name and version are there with other weights or another model.json
  kOtherBuild,     // the same weights, but other kernels: a replay may differ in its last bits
};

struct ModelComparison {
  StoredModel stored;
  ModelMatch match = ModelMatch::kSame;
  std::string message;  // what is stored, what is served and what to do; empty: the same
};

// One for each stored model, in their order. Numbers of `served` are not looked at.
std::vector<ModelComparison> CompareModels(std::span<const StoredModel> stored,
                                           std::span<const StoredModel> served);

}  // namespace tidegate
