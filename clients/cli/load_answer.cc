#include "clients/cli/load_answer.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "clients/cli/outcome_name.h"

namespace tidegate {
namespace {

// The answer begins with `readings` outcomes APPLIED, a byte each, in its first piece of memory.
bool AllApplied(grpc::ByteBuffer& answer, std::size_t readings) {
  grpc::ProtoBufferReader reader(&answer);
  google::protobuf::io::CodedInputStream in(&reader);
  constexpr std::uint32_t kTag = v1::PushResponse::kOutcomeFieldNumber << 3 | 2;  // packed
  std::uint32_t size = 0;
  if (in.ReadTag() != kTag || !in.ReadVarint32(&size) || size != readings) return false;
  const void* data = nullptr;
  int there = 0;
  if (!in.GetDirectBufferPointer(&data, &there) || static_cast<std::uint32_t>(there) < size) return false;
  const auto* outcome = static_cast<const unsigned char*>(data);
  return std::all_of(outcome, outcome + size, [](unsigned char o) { return o == v1::OUTCOME_APPLIED; });
}

}  // namespace

absl::Status CountOutcomes(grpc::ByteBuffer& answer, std::size_t readings,
                           std::map<std::string, std::uint64_t>& outcomes) {
  if (AllApplied(answer, readings)) {
    outcomes["APPLIED"] += readings;
    return absl::OkStatus();
  }
  grpc::ProtoBufferReader reader(&answer);
  v1::PushResponse response;
  if (!response.ParseFromZeroCopyStream(&reader) || response.outcome_size() != static_cast<int>(readings)) {
    return absl::InternalError(absl::StrCat("the answer to ", readings, " readings has ",
                                            response.outcome_size(),
                                            " outcomes: client and server do not fit each other"));
  }
  for (int i = 0; i < response.outcome_size(); ++i) ++outcomes[OutcomeName(response, i)];
  return absl::OkStatus();
}

}  // namespace tidegate
