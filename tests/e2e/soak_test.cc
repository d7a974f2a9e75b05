// Many streams over several calls at once, with all that happens to readings: every answer is, bit for bit,
// that of an offline replay. tests/bench/soak.cc does the same for minutes, and watches the server's memory.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "engine/model/model_file.h"
#include "tests/e2e/executables.h"
#include "tests/support/answer_check.h"
#include "tests/support/soak_feed.h"

namespace tidegate {
namespace {

constexpr std::size_t kSoakStreams = 2000;
constexpr std::size_t kCalls = 4;
constexpr std::size_t kMessages = 1500;  // of a call
constexpr std::size_t kWindow = 8;       // messages of a call that wait together

struct Call {
  Call(v1::Forecaster::Stub& stub, const ModelSpec& spec, std::size_t f)
      : first(f), feed(spec, "soak-", f, kSoakStreams / kCalls), stream(stub.Stream(&context)) {}

  // Sends some messages; the opening ones first.
  void Send() {
    for (std::size_t i = 0; i < kWindow; ++i) {
      sent.push_back(feed.opened() ? feed.Next() : feed.Open());
      ASSERT_TRUE(stream->Write(sent.back()));
    }
  }
  // Takes their answers.
  void Receive(AnswerCheck& check) {
    for (const v1::PushRequest& request : sent) {
      v1::PushResponse response;
      ASSERT_TRUE(stream->Read(&response));
      check.Check(request, first, response);
    }
    sent.clear();
  }

  std::size_t first;
  SoakFeed feed;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<v1::PushRequest, v1::PushResponse>> stream;
  std::vector<v1::PushRequest> sent;
};

TEST(SoakTest, EveryAnswerIsThatOfAReplay) {
  TemporaryFolder folder;
  WriteTinyModel(folder.path());
  const auto model = ReadModel(folder.path() / "tiny" / "1");
  ASSERT_TRUE(model.ok()) << model.status();
  RunningServer server(folder.path());
  auto stub = server.Stub();
  AnswerCheck check(*model, kSoakStreams);
  std::vector<std::unique_ptr<Call>> calls;
  for (std::size_t i = 0; i < kCalls; ++i) {
    calls.push_back(std::make_unique<Call>(*stub, (*model)->spec(), i * kSoakStreams / kCalls));
  }
  for (std::size_t sent = 0; sent < kMessages; sent += kWindow) {
    for (const auto& call : calls) call->Send();
    for (const auto& call : calls) call->Receive(check);
    ASSERT_EQ(check.mismatches(), 0u) << check.report();
  }
  for (const auto& call : calls) {
    call->stream->WritesDone();
    EXPECT_TRUE(call->stream->Finish().ok());
  }
  EXPECT_GT(check.readings(), kCalls * kMessages * 150);
  for (const Outcome outcome :
       {Outcome::kApplied, Outcome::kDuplicate, Outcome::kConflict, Outcome::kLate, Outcome::kInvalid}) {
    EXPECT_GT(check.outcomes(outcome), 100u) << static_cast<int>(outcome);
  }
  calls.clear();
  stub.reset();  // or the server would wait for a client that no longer listens
  EXPECT_EQ(server.Stop().exit_code, 0);
}

}  // namespace
}  // namespace tidegate
