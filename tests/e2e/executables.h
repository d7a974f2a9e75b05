#pragma once

#include <signal.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {

// A folder that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The command line tool with these arguments, for a Process.
std::vector<std::string> TidegateCommand(std::vector<std::string> arguments);

// Runs the command line tool to its end.
Process::Result RunTidegate(std::vector<std::string> arguments);

// The server on free ports, as it starts. listen: for gRPC.
std::vector<std::string> ServerCommand(const std::filesystem::path& models,
                                       const std::vector<std::string>& more,
                                       const std::string& listen = "127.0.0.1:0");

// The word after `key` ("grpc=", "metrics=") in the line that says that a server is ready; empty: none.
std::string ReadyWord(const std::string& line, const std::string& key);

// Runs the server to its end: for command lines with which it does not start.
Process::Result RunServer(std::vector<std::string> arguments);

// A server on free ports of the loopback, ready to answer. Killed by the destructor if not stopped before.
class RunningServer {
 public:
  // more: further arguments. file_limit: how many files it may have open; 0: as many as this program. listen:
  // for gRPC.
  explicit RunningServer(const std::filesystem::path& models, const std::vector<std::string>& more = {},
                         int file_limit = 0, const std::string& listen = "127.0.0.1:0");

  const std::string& grpc() const { return grpc_; }        // HOST:PORT
  const std::string& metrics() const { return metrics_; }  // http://HOST:PORT/metrics

  std::unique_ptr<v1::Forecaster::Stub> Stub() const;

  // The text of /metrics.
  std::string Scrape() const;

  // SIGTERM, then waits for the end.
  Process::Result Stop();

  // SIGKILL.
  void Kill() { process_.Signal(SIGKILL); }

  // Waits for the end, which must come by itself.
  Process::Result Wait(absl::Duration limit) { return process_.Wait(limit); }
  pid_t pid() const { return process_.pid(); }

 private:
  Process process_;
  std::string grpc_;
  std::string metrics_;
};

// The value of the sample that begins with `series` ("name" or "name{labels}"); -1: there is none.
double Sample(const std::string& metrics, const std::string& series);

// Writes the small model of tests/support/tiny_model.h as version 1 of `models`/tiny.
void WriteTinyModel(const std::filesystem::path& models);

// The first reading of stream "a" of that model.
v1::PushRequest OneReading();

}  // namespace tidegate
