// Clients that send nonsense: the server refuses it, lives on, and answers everyone else as if they were not
// there.
//
// TIDEGATE_BAD_REQUESTS: how many malformed requests; without it 100,000, with sanitizers 10,000.

#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/server/rpc/rpc_fixture.h"
#include "tests/support/mutate.h"
#include "tests/support/raw_client.h"

namespace tidegate {
namespace {

constexpr char kService[] = "/tidegate.v1.Forecaster/";

int BadRequests() {
  if (const char* const said = std::getenv("TIDEGATE_BAD_REQUESTS")) return std::atoi(said);
#ifdef TIDEGATE_SLOW
  return 10'000;
#else
  return 100'000;
#endif
}

struct Seed {
  std::string method;
  std::string bytes;
  bool lasts = false;  // a call that its client has to end
};

// One valid request of each method, and some of methods that there are not.
std::vector<Seed> Seeds(const v1::PushRequest& push) {
  v1::ForkStreamRequest fork;
  fork.set_stream_id("a");
  fork.set_new_stream_id("b");
  v1::ListStreamsRequest list;
  list.set_page_size(2);
  list.set_page_token("0:1");
  list.set_prefix("a");
  v1::ImportStreamRequest import;
  import.set_stream_id("i");
  import.mutable_state()->set_model("tiny");
  import.mutable_state()->set_steps(3);
  for (int i = 0; i < 8; ++i) import.mutable_state()->add_state(0.5f);
  v1::GetStreamRequest one;  // the same bytes as the other messages with a stream_id alone
  one.set_stream_id("a");
  std::vector<Seed> seeds;
  for (const char* method : {"Push", "Push", "Push", "Stream", "Stream", "Stream", "Nothing", "push"}) {
    seeds.push_back({absl::StrCat(kService, method), push.SerializeAsString()});
  }
  for (const char* method :
       {"Forecast", "GetCursor", "GetStream", "ResetStream", "DeleteStream", "ExportStream"}) {
    seeds.push_back({absl::StrCat(kService, method), one.SerializeAsString()});
  }
  seeds.push_back({absl::StrCat(kService, "ForkStream"), fork.SerializeAsString()});
  seeds.push_back({absl::StrCat(kService, "ListStreams"), list.SerializeAsString()});
  seeds.push_back({absl::StrCat(kService, "ImportStream"), import.SerializeAsString()});
  v1::GetModelRequest model;  // the same bytes as the other messages with a model alone
  model.set_model("tiny");
  for (const char* method : {"ListModels", "GetModel", "LoadModel", "SetDefaultModel"})
    seeds.push_back({absl::StrCat(kService, method), model.SerializeAsString()});
  v1::UnloadModelRequest unload;
  unload.set_model("a model that there is not");
  seeds.push_back({absl::StrCat(kService, "UnloadModel"), unload.SerializeAsString()});
  v1::BackupRequest backup;
  backup.set_name("monday");
  seeds.push_back({absl::StrCat(kService, "Backup"), backup.SerializeAsString()});
  v1::SubscribeRequest subscribe;
  subscribe.add_stream_id("a");
  subscribe.set_horizon(2);
  seeds.push_back({absl::StrCat(kService, "Subscribe"), subscribe.SerializeAsString(), true});
  seeds.push_back({"/grpc.health.v1.Health/Check", "\n\x05other"});
  seeds.push_back({"/grpc.health.v1.Health/Watch", "\n\x05other", true});
  seeds.push_back({"/no.such.Service/Push", "x"});
  return seeds;
}

std::string RandomBytes(std::mt19937_64& random) {
  std::string bytes(random() % 200, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

using Codes = std::map<std::string, std::map<int, int>>;  // method, then status code, to a number of calls

// Sends `count` requests that are mutations of the seeds or random bytes, 64 at a time.
Codes SendNonsense(const std::shared_ptr<grpc::Channel>& channel, const std::vector<Seed>& seeds, int count) {
  struct Pending {
    std::string method;
    grpc::ClientContext context;
    grpc::ByteBuffer answer;
    grpc::Status status;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  };
  std::mt19937_64 random(1);
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  Codes codes;
  int open = 0;
  const auto finish_one = [&] {
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    const std::unique_ptr<Pending> done(static_cast<Pending*>(tag));
    ++codes[done->method][done->status.error_code()];
    --open;
  };
  for (int i = 0; i < count; ++i) {
    const Seed& seed = seeds[random() % seeds.size()];
    grpc::Slice slice(random() % 4 == 0 ? RandomBytes(random) : Mutate(seed.bytes, random));
    auto pending = std::make_unique<Pending>();
    pending->method = seed.method;
    if (seed.lasts)
      pending->context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(20));
    pending->reader =
        stub.PrepareUnaryCall(&pending->context, seed.method, grpc::ByteBuffer(&slice, 1), &queue);
    pending->reader->StartCall();
    Pending* const tag = pending.release();  // finish_one owns it
    tag->reader->Finish(&tag->answer, &tag->status, tag);
    if (++open == 64) finish_one();
  }
  while (open > 0) finish_one();
  return codes;
}

// A stream whose readings go to two servers over Push and Stream in turn: all answers must have the same
// bytes.
class Control {
 public:
  Control(const std::shared_ptr<grpc::Channel>& attacked, const std::shared_ptr<grpc::Channel>& quiet)
      : sides_{Side(attacked), Side(quiet)} {}

  // One reading over each of both methods; false if anything failed or differed.
  bool Compare(const v1::PushRequest& first, const v1::PushRequest& second) {
    std::array<std::string, 2> pushed, streamed;
    for (std::size_t i = 0; i < 2; ++i) {
      v1::PushResponse response;
      grpc::ClientContext context;
      if (!sides_[i].stub->Push(&context, first, &response).ok()) return false;
      pushed[i] = response.SerializeAsString();
      if (!sides_[i].stream->Write(second) || !sides_[i].stream->Read(&response)) return false;
      streamed[i] = response.SerializeAsString();
      if (response.outcome(0) != v1::OUTCOME_APPLIED) return false;
    }
    return pushed[0] == pushed[1] && streamed[0] == streamed[1];
  }

 private:
  struct Side {
    explicit Side(const std::shared_ptr<grpc::Channel>& channel)
        : stub(v1::Forecaster::NewStub(channel)),
          context(std::make_unique<grpc::ClientContext>()),
          stream(stub->Stream(context.get())) {}
    std::unique_ptr<v1::Forecaster::Stub> stub;
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::PushRequest, v1::PushResponse>> stream;
  };
  std::array<Side, 2> sides_;
};

class BadClientTest : public RpcFixture {
 protected:
  static void SetUpTestSuite() {  // a line for every bad header and string, which nobody will read
    gpr_set_log_function([](gpr_log_func_args*) {});
    google::protobuf::SetLogHandler(nullptr);
  }
  void SetUp() override {
    RpcFixture::SetUp();
    auto quiet = RpcServer::Start(RpcServer::Options(), repository_, quiet_metrics_);
    ASSERT_TRUE(quiet.ok()) << quiet.status();
    quiet_ = *std::move(quiet);
  }

  // Runs `attack`, and all the while the control stream; a minimum of its readings before, and some after it.
  template <typename Attack>
  void Withstand(Attack attack) {
    const auto quiet = grpc::CreateChannel(quiet_->address(), grpc::InsecureChannelCredentials());
    Control control(NewChannel(), quiet);
    int t = 0;
    const auto same = [&] {
      t += 2;
      return control.Compare(Readings({"the control stream"}, t), Readings({"the control stream"}, t + 1));
    };
    ASSERT_TRUE(same());
    std::atomic<bool> over = false;
    std::thread attacker([&] {
      attack();
      over = true;
    });
    bool held = true;
    while (held && !over) held = same();
    attacker.join();
    for (int i = 0; i < 10; ++i) held = held && same();
    EXPECT_TRUE(held) << "the control stream was answered otherwise at reading " << t;
    std::printf("%d readings of the control stream meanwhile\n", t);
  }

  Metrics quiet_metrics_{{}, {{.name = "other"}, {.name = "tiny"}}, /*shard_count=*/1};
  std::unique_ptr<RpcServer> quiet_;
};

TEST_F(BadClientTest, MalformedRequestsAreRefusedAndHarmNobody) {
  Codes codes;
  const auto channel = NewChannel();
  Withstand([&] { codes = SendNonsense(channel, Seeds(Readings({"a", "b"}, 1)), BadRequests()); });
  for (const char* method : {"Push", "Stream"}) {
    for (const auto& [code, calls] : codes[absl::StrCat(kService, method)]) {
      EXPECT_THAT(code, testing::AnyOf(grpc::StatusCode::OK, grpc::StatusCode::INVALID_ARGUMENT,
                                       grpc::StatusCode::NOT_FOUND, grpc::StatusCode::RESOURCE_EXHAUSTED))
          << calls << " calls of " << method;
    }
    EXPECT_GT(codes[absl::StrCat(kService, method)][grpc::StatusCode::INVALID_ARGUMENT], BadRequests() / 100);
  }
  for (const char* method : {"Nothing", "push"}) {
    EXPECT_THAT(codes[absl::StrCat(kService, method)],
                testing::ElementsAre(testing::Key(grpc::StatusCode::UNIMPLEMENTED)));
  }
  int answered = 0;
  for (const auto& [method, by_code] : codes) {
    std::printf("%s:", method.c_str());
    for (const auto& [code, calls] : by_code) {
      std::printf(" %d with code %d", calls, code);
      answered += calls;
      EXPECT_NE(code, grpc::StatusCode::UNAVAILABLE) << method;
    }
    std::printf("\n");
  }
  EXPECT_EQ(answered, BadRequests());
}

TEST_F(BadClientTest, BrokenConnectionsAreClosedAndHarmNobody) {
  const int connections = BadRequests() / 25;  // each costs the kernel and gRPC more than a request
  const std::vector<std::string> broken = BrokenConversations();
  const std::string message = Readings({"a", "b"}, 1).SerializeAsString();
  const std::vector<std::string> calls = {Http2Call(absl::StrCat(kService, "Push"), message),
                                          Http2Call(absl::StrCat(kService, "Stream"), message)};
  int refused = 0;
  Withstand([&] {
    std::mt19937_64 random(1);
    for (int i = 0; i < connections; ++i) {
      const std::size_t n = static_cast<std::size_t>(i);
      const std::string bytes = n < broken.size()   ? broken[n]
                                : random() % 8 == 0 ? RandomBytes(random)
                                : random() % 4 == 0 ? Mutate(broken[random() % broken.size()], random)
                                                    : Mutate(calls[random() % calls.size()], random);
      if (!SendRaw(server_->port(), bytes)) ++refused;
    }
  });
  EXPECT_EQ(refused, 0) << "of " << connections << " connections";
}

}  // namespace
}  // namespace tidegate
