// What a message costs in calls of operator new from its bytes to the bytes of its answer, once all buffers
// have grown. Parsing, checking, serving and releasing it cost none, protobuf's included: requests and
// responses are reused. Of gRPC's own remain the buffers of the answer's bytes, for which serialising ours
// costs no more than writing as many bytes of anything. (Those that gRPC takes from malloc are not seen.)

#include <grpcpp/support/proto_buffer_writer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/rpc/admission.h"
#include "server/rpc/serving_loop.h"
#include "tests/support/allocations.h"
#include "tests/support/lone_shard.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

grpc::ByteBuffer Bytes(const v1::PushRequest& request) {
  const grpc::Slice slice(request.SerializeAsString());
  return {&slice, 1};
}

// As Serialize does, of no message: `size` zeros.
grpc::ByteBuffer Zeros(int size) {
  grpc::ByteBuffer bytes;
  grpc::ProtoBufferWriter writer(&bytes, grpc::kProtoBufferWriterMaxBufferLength, size);
  void* data = nullptr;
  for (int room = 0; size > 0 && writer.Next(&data, &room); size -= room) {
    std::fill_n(static_cast<char*>(data), room, '\0');
    if (room > size) {
      writer.BackUp(room - size);
      break;
    }
  }
  return bytes;
}

class AdmissionAllocationTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / absl::StrCat("admission_allocation_", GetParam());
    std::filesystem::remove_all(folder_);
    const ModelSpec spec = TinySpec();
    ASSERT_TRUE(WriteModel(folder_ / "tiny" / "1", spec, TinyTensors(spec)).ok());
    auto repository = Repository::Load(folder_, "tiny");
    ASSERT_TRUE(repository.ok()) << repository.status();
    repository_ = *std::move(repository);
    models_.push_back(repository_.models()[0].model);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  Repository repository_;
  std::vector<std::shared_ptr<const Model>> models_;
};

TEST_P(AdmissionAllocationTest, AWarmServerParsesServesAndAnswersWithoutAnyOfItsOwn) {
  LoneShard shard(models_, 1000);
  Admission admission(repository_, *shard.peer, shard.metrics, absl::Minutes(5));
  NamedStreams handles(1);  // of a Stream call: ids in the first message only
  std::uint64_t ours = 0, serializing = 0, grpcs = 0;
  for (int t = 1; t <= 220; ++t) {
    v1::PushRequest request;
    request.set_model("tiny");
    for (int i = 0; i < GetParam(); ++i) {
      const bool push = t % 2 == 0;  // messages of Push name their streams, as do first ones of Stream
      if (t == 1 || push) request.add_stream_id(absl::StrCat("a sensor with a long name ", i));
      if (!push) request.add_handle(static_cast<std::uint32_t>(i));
      request.add_timestamp(t * kSecond);
      request.add_value(20);
      request.add_value(static_cast<float>(50 + t % 3));
    }
    grpc::ByteBuffer bytes = Bytes(request);

    std::uint64_t before = Allocations();
    const auto admitted = admission.Admit(bytes, t % 2 == 0 ? nullptr : &handles, nullptr);
    ASSERT_TRUE(admitted.ok()) << admitted.status();
    while (!(*admitted)->answered) admission.Run();
    const std::uint64_t served = Allocations() - before;
    before = Allocations();
    const grpc::ByteBuffer answer = Serialize((*admitted)->response);
    const std::uint64_t serialized = Allocations() - before;
    before = Allocations();
    const grpc::ByteBuffer zeros = Zeros(static_cast<int>(answer.Length()));
    const std::uint64_t wrote = Allocations() - before;
    ASSERT_EQ(zeros.Length(), answer.Length());
    ASSERT_EQ((*admitted)->response.outcome(0), v1::OUTCOME_APPLIED);
    before = Allocations();
    admission.Release(*admitted);
    if (t <= 20) continue;
    ours += served + Allocations() - before;
    serializing += serialized;
    grpcs += wrote;
  }
  EXPECT_EQ(ours, 0u);
  EXPECT_EQ(serializing, grpcs);
  RecordProperty("serializing_200_answers", static_cast<int>(serializing));
}

INSTANTIATE_TEST_SUITE_P(Readings, AdmissionAllocationTest, testing::Values(1, 64, 256, 1000));

}  // namespace
}  // namespace tidegate
