#include "tests/e2e/executables.h"

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/model/model_file.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr absl::Duration kLimit = absl::Minutes(1);

std::vector<std::string> Command(const char* executable, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), executable);
  return arguments;
}

// With at most so many files open; 0: as many as this program.
std::vector<std::string> Limited(std::vector<std::string> arguments, int file_limit) {
  if (file_limit == 0) return arguments;
  const std::string script = absl::StrCat("ulimit -n ", file_limit, " && exec \"$0\" \"$@\"");
  const std::array<std::string, 3> shell = {"/bin/sh", "-c", script};
  arguments.insert(arguments.begin(), shell.begin(), shell.end());
  return arguments;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = testing::TempDir() + "/tidegate-XXXXXX";
  path_ = mkdtemp(name.data());
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> TidegateCommand(std::vector<std::string> arguments) {
  return Command(TIDEGATE_CLI, std::move(arguments));
}

Process::Result RunTidegate(std::vector<std::string> arguments) {
  return RunProcess(TidegateCommand(std::move(arguments)));
}

std::vector<std::string> ServerCommand(const std::filesystem::path& models,
                                       const std::vector<std::string>& more, const std::string& listen) {
  std::vector<std::string> arguments = {TIDEGATE_SERVER, "--models",         models.string(), "--listen",
                                        listen,          "--metrics-listen", "127.0.0.1:0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string ReadyWord(const std::string& line, const std::string& key) {
  const std::size_t begin = line.find(key);
  if (begin == std::string::npos) return "";
  return line.substr(begin + key.size(), line.find(' ', begin) - begin - key.size());
}

Process::Result RunServer(std::vector<std::string> arguments) {
  return RunProcess(Command(TIDEGATE_SERVER, std::move(arguments)));
}

RunningServer::RunningServer(const std::filesystem::path& models, const std::vector<std::string>& more,
                             int file_limit, const std::string& listen)
    : process_(Limited(ServerCommand(models, more, listen), file_limit)) {
  const std::string line = process_.WaitForLine("tidegate-server ready: ", kLimit);
  grpc_ = ReadyWord(line, "grpc=");
  metrics_ = ReadyWord(line, "metrics=");
  EXPECT_FALSE(grpc_.empty() || metrics_.empty()) << "not ready: '" << line << "'";
}

std::unique_ptr<v1::Forecaster::Stub> RunningServer::Stub() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return v1::Forecaster::NewStub(
      grpc::CreateCustomChannel(grpc_, grpc::InsecureChannelCredentials(), arguments));
}

std::string RunningServer::Scrape() const {
  const std::vector<std::string> parts =
      absl::StrSplit(metrics_, absl::ByAnyChar(":/"));  // http, "", "", host, port
  int port = 0;
  if (parts.size() < 5 || !absl::SimpleAtoi(parts[4], &port)) return "";
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, parts[3].c_str(), &address.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string page;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
    EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    std::array<char, 4096> buffer;
    for (ssize_t got; (got = read(fd, buffer.data(), buffer.size())) > 0;) {
      page.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  close(fd);
  return page;
}

Process::Result RunningServer::Stop() {
  process_.Signal(SIGTERM);
  return process_.Wait(kLimit);
}

double Sample(const std::string& metrics, const std::string& series) {
  for (const absl::string_view line : absl::StrSplit(metrics, '\n')) {
    double value = 0;
    if (line.size() > series.size() && line[series.size()] == ' ' &&
        line.substr(0, series.size()) == series && absl::SimpleAtod(line.substr(series.size() + 1), &value)) {
      return value;
    }
  }
  return -1;
}

void WriteTinyModel(const std::filesystem::path& models) {
  const ModelSpec spec = TinySpec();
  const absl::Status written = WriteModel(models / "tiny" / "1", spec, TinyTensors(spec));
  ASSERT_TRUE(written.ok()) << written;
}

v1::PushRequest OneReading() {
  v1::PushRequest request;
  request.add_stream_id("a");
  request.add_timestamp(1'000'000'000);
  request.add_value(20);
  request.add_value(50);
  return request;
}

}  // namespace tidegate
