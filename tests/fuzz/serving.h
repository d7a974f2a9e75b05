#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/metrics/metrics.h"
#include "server/models/repository.h"
#include "server/rpc/admission.h"
#include "server/rpc/stream_service.h"
#include "tests/support/lone_shard.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// A server without a network, for fuzzed requests: the models "tiny" (the default), "other" and "reorders",
// which has a reorder window, with room for 8 streams, and among them one stream, "control", that nobody else
// may touch. Ends the process (Require) if
// - a reading does not get exactly one outcome, or an answer has not the shape that was asked for,
// - the control stream is answered other bits than on a server with no other requests.
// Not thread-safe.
class Serving {
 public:
  static constexpr char kControl[] = "control";

  Serving();
  ~Serving();  // Settle

  // Takes `bytes` in as one message; streams: of its call, or null. They must live until Settle. Messages
  // that name the control stream are passed over.
  void Push(absl::string_view bytes, NamedStreams* streams);

  // Takes in the next reading of the control stream.
  void PushControl();

  // Answers all that waits.
  void Settle();

  StreamService& streams() { return streams_; }

 private:
  void Admit(const std::string& bytes, NamedStreams* streams);
  void CheckAnswer(const Exchange& exchange);

  LoneShard shard_;
  Admission admission_;
  StreamService streams_;
  std::size_t readings_ = 0;  // taken in
  std::size_t controls_ = 0;  // readings of the control stream
  std::size_t control_answers_ = 0;
};

// The models of Serving, made once.
const Repository& FuzzModels();

// One reading of each stream at second t.
v1::PushRequest FuzzReadings(const std::vector<std::string>& ids, int t);

// Inputs that are several messages: each has a byte for the target, its length (two bytes, low first), its
// bytes.
struct FuzzMessage {
  unsigned char kind;
  std::string bytes;
};
std::string WriteMessages(const std::vector<FuzzMessage>& messages);
std::vector<FuzzMessage> ReadMessages(
    absl::string_view input);  // a last one that is too short is what is left

}  // namespace tidegate
