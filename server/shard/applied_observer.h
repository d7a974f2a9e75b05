#pragma once

#include <span>

#include "absl/strings/string_view.h"
#include "engine/model/model.h"
#include "engine/stream/stream.h"

namespace tidegate {

// A reading that a batch has applied. The pointers hold during AppliedObserver::Applied only.
struct AppliedReading {
  absl::string_view id;             // of its stream
  const StreamHeader* header;       // of its stream, as the reading left it
  std::span<const float> forecast;  // [horizon, Q] the model's whole answer, in the target's unit
};

// Who wants to see readings as they are applied. Called by the shard's thread.
class AppliedObserver {
 public:
  virtual ~AppliedObserver() = default;

  // A batch of `model` has applied these readings, at most one of each stream; those of a stream come in
  // order. Must not call the shard.
  virtual void Applied(const Model& model, std::span<const AppliedReading> readings) = 0;
};

}  // namespace tidegate
