#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "absl/time/time.h"
#include "proto/tls/pem.h"

namespace tidegate {

// How the server runs. Defaults and units are repeated to the user by --help.
struct Options {
  std::string models;                             // folder of models, see Repository
  std::string listen = "127.0.0.1:50051";         // gRPC
  std::string metrics_listen = "127.0.0.1:9464";  // HTTP, /metrics
  std::string default_model;                      // empty: the only one, if there is just one
  std::size_t max_streams = 1'000'000;            // over all models
  absl::Duration expire_after;                    // without readings; zero: streams stay
  std::string data;                               // folder of the store; empty: streams live in memory only
  std::string durability = "process";             // or none, power
  absl::Duration checkpoint_interval = absl::Seconds(60);
  std::uint64_t memory_limit = 0;  // bytes for streams in memory; 0: all stay there
  std::string backups;             // folder for copies of the store; empty: none are made
  bool keep_journal = false;       // also behind checkpoints
  std::uint64_t disk_reserve = std::uint64_t{1}
                               << 30;              // bytes of free space below which readings are refused
  bool forget_other_models = false;                // streams of models that are not served
  bool accept_other_kernels = false;               // to replay what other ones stepped
  bool accept_lost_journal = false;                // what was acknowledged and is not there any more
  std::size_t shards = 0;                          // threads that serve; 0: by the CPUs
  absl::Duration max_future = absl::Seconds(300);  // how far a reading's time may lie ahead
  absl::Duration drain_delay;                      // between NOT_SERVING and the end of service
  TlsFiles tls;                                    // with `health` a client's, else a server's
  std::string tokens;                              // file of bearer tokens; empty: everyone may call
  bool reflection = false;                         // gRPC server reflection
  std::string log_format = "text";                 // or json
  std::string log_level = "info";                  // trace, debug, info, warn, error or off
  std::string health;  // not empty: check the server at this address instead of serving
};

// The process is to end with this code: help, the version or what is wrong with the flags has been printed.
struct ExitCode {
  int code;
};

// Reads the command line.
std::variant<Options, ExitCode> ParseOptions(int argc, const char* const* argv);

}  // namespace tidegate
