// Clients that try to use up the server's memory and file descriptors.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

grpc::Status Push(v1::Forecaster::Stub& stub, absl::Duration limit) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + limit));
  v1::PushResponse response;
  return stub.Push(&context, OneReading(), &response);
}

double ResidentBytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  double pages = 0;
  file >> pages >> pages;  // the second
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

TEST(ExhaustionTest, CompressionBombsAreRefusedBeforeTheyGrow) {
  TemporaryFolder models;
  WriteTinyModel(models.path());
  RunningServer server(models.path());
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  const auto stub = v1::Forecaster::NewStub(
      grpc::CreateCustomChannel(server.grpc(), grpc::InsecureChannelCredentials(), arguments));
  ASSERT_TRUE(Push(*server.Stub(), absl::Seconds(30)).ok());
  const double before = ResidentBytes(server.pid());
  v1::PushRequest bomb;
  bomb.mutable_value()->Resize(16 << 20, 0);  // 64 MiB, and 64 KiB when compressed
  for (int i = 0; i < 4; ++i) {
    grpc::ClientContext context;
    v1::PushResponse response;
    const grpc::Status status = stub->Push(&context, bomb, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
  }
  EXPECT_LT(ResidentBytes(server.pid()) - before, 16 << 20) << "a quarter of one bomb";
}

// Opens `count` connections at once, then closes all of them.
void Flood(const std::string& address, int count) {
  int port = 0;
  ASSERT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<int> open;
  for (int i = 0; i < count; ++i) {
    open.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(open.back(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0) << i;
  }
  for (const int fd : open) close(fd);
}

// gRPC 1.51 never accepts again after it ran out of file descriptors. Either that has been mended, or the
// server must notice and end, so that what started it starts it anew.
TEST(ExhaustionTest, AfterAFloodOfConnectionsAClientIsAnsweredOrTheServerEnds) {
  TemporaryFolder models;
  WriteTinyModel(models.path());
  RunningServer server(models.path(), {}, /*file_limit=*/64);
  ASSERT_TRUE(Push(*server.Stub(), absl::Seconds(30)).ok());
  Flood(server.grpc(), 200);
  const absl::Time flooded = absl::Now();
  if (Push(*server.Stub(), absl::Seconds(3)).ok()) return;
  const Process::Result result = server.Wait(absl::Seconds(60));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("no longer serving"));
  EXPECT_LT(absl::Now() - flooded, absl::Seconds(25)) << "5 s from one probe to the next, three of 2 s";
  RunningServer again(models.path());
  EXPECT_TRUE(Push(*again.Stub(), absl::Seconds(30)).ok());
}

}  // namespace
}  // namespace tidegate
