// Messages as PushRequests, some of one call and some of their own, with a control stream's readings between
// them. What must hold is said in serving.h.

#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/serving.h"

namespace tidegate {
namespace {

constexpr unsigned char kSameCall = 1, kSettle = 2;  // bits of a message's kind

}  // namespace

std::vector<std::string> Seeds() {
  const std::string one = FuzzReadings({"a"}, 1).SerializeAsString();
  const std::string two = FuzzReadings({"a", "b", "a"}, 2).SerializeAsString();
  v1::PushRequest handles = FuzzReadings({"c"}, 3);
  handles.add_handle(0);
  v1::PushRequest wants = FuzzReadings({"a", ""}, 40);
  wants.set_model("other");
  wants.set_horizon(2);
  wants.add_quantile(0.1f);
  wants.add_quantile(0.9f);
  v1::PushRequest acknowledged = FuzzReadings({"a", "d"}, 5);
  acknowledged.set_acknowledge_only(true);
  const std::string full = FuzzReadings({"1", "2", "3", "4", "5", "6", "7", "8", "9"}, 1).SerializeAsString();
  return {WriteMessages({{0, one}, {kSettle, one}, {0, two}}),
          WriteMessages(
              {{kSameCall, handles.SerializeAsString()}, {kSameCall | kSettle, handles.SerializeAsString()}}),
          WriteMessages({{0, wants.SerializeAsString()}, {0, acknowledged.SerializeAsString()}, {0, full}})};
}

void Fuzz(absl::string_view input) {
  NamedStreams handles(1);
  Serving serving;
  serving.PushControl();
  for (const FuzzMessage& message : ReadMessages(input)) {
    serving.Push(message.bytes, (message.kind & kSameCall) != 0 ? &handles : nullptr);
    serving.PushControl();
    if ((message.kind & kSettle) != 0) serving.Settle();
  }
}

}  // namespace tidegate
