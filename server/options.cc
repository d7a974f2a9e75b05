#include "server/options.h"

#include <CLI/CLI.hpp>
#include <limits>

#include "server/version.h"

namespace tidegate {
namespace {

void AddTlsFlags(CLI::App& app, TlsFiles& tls, CLI::Option& health) {
  auto* const certificate =
      app.add_option("--tls-cert", tls.certificate,
                     "Serve with TLS: PEM file with the certificate and those above it, read "
                     "anew when it changes; with --health, what to present");
  auto* const key = app.add_option("--tls-key", tls.key, "PEM file with the certificate's private key");
  auto* const clients = app.add_option_function<std::string>(
      "--tls-client-ca",
      [&tls](const std::string& file) {
        tls.authorities = file;
        tls.authorities_flag = "--tls-client-ca";
      },
      "Serve only clients with a certificate of those in this PEM file");
  auto* const servers =
      app.add_option("--tls-ca", tls.authorities,
                     "With --health: connect with TLS, and trust a server with a certificate of "
                     "those in this PEM file");
  certificate->type_name("FILE")->needs(key);
  key->type_name("FILE")->needs(certificate);
  clients->type_name("FILE")->needs(certificate)->excludes(&health);
  servers->type_name("FILE")->needs(&health);
}

void AddStoreFlags(CLI::App& app, Options& options, double& checkpoint_seconds) {
  auto* const data =
      app.add_option("--data", options.data,
                     "Folder to keep the streams in, so that a restart goes on where the last one ended; "
                     "without it they live in memory only")
          ->type_name("DIR");
  app.add_option(
         "--durability", options.durability,
         "What a reading survives once it is answered: none (what has changed since the last checkpoint "
         "is lost when the process ends), process (the end of the process), power (a power cut)")
      ->check(CLI::IsMember({"none", "process", "power"}))
      ->type_name("MODE")
      ->needs(data)
      ->capture_default_str();
  app.add_option(
         "--checkpoint-interval", checkpoint_seconds,
         "At most so long between two checkpoints of the streams' states; they begin earlier when what "
         "was journalled since would take more than about 15 s to replay")
      ->check(CLI::Range(0.01, 1e6))
      ->type_name("SECONDS")
      ->needs(data)
      ->capture_default_str();
  app.add_option("--memory-limit", options.memory_limit,
                 "Memory for streams: those not used for longest go to disk and come back with their next "
                 "reading; 0: all stay in memory")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("BYTES")
      ->needs(data)
      ->default_str("0");
  app.add_option("--backups", options.backups,
                 "Folder that 'tidegate backup' makes its copies in, while the server serves; on the disk of "
                 "--data a copy shares most of its files with them")
      ->type_name("DIR")
      ->needs(data);
  app.add_flag("--keep-journal", options.keep_journal,
               "Keep all readings in the journal, so that 'tidegate replay' can prove every forecast; the "
               "folder grows without bound")
      ->needs(data);
  app.add_option("--disk-reserve", options.disk_reserve,
                 "Readings are refused (OVERLOADED, DISK_FULL) while the folder's disk has less free space")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("BYTES")
      ->needs(data)
      ->default_str("1GiB");
  app.add_flag(
         "--forget-other-models", options.forget_other_models,
         "Forget the folder's streams of models that are not served, or that have other weights, or another "
         "model.json, now")
      ->needs(data);
  app.add_flag("--accept-other-kernels", options.accept_other_kernels,
               "After a crash, replay the journal although other kernels had stepped it (another CPU or "
               "version): forecasts may differ in their last bits from those that were answered")
      ->needs(data);
  app.add_flag("--accept-lost-journal", options.accept_lost_journal,
               "Start although the end of the journal is missing or damaged: what was behind is lost")
      ->needs(data);
}

}  // namespace

std::variant<Options, ExitCode> ParseOptions(int argc, const char* const* argv) {
  Options options;
  double max_future_seconds = absl::ToDoubleSeconds(options.max_future);
  double drain_delay_seconds = absl::ToDoubleSeconds(options.drain_delay);
  double expire_seconds = 0;
  double checkpoint_seconds = absl::ToDoubleSeconds(options.checkpoint_interval);
  CLI::App app("Serves forecasts for streams of sensor readings over gRPC (tidegate.v1.Forecaster).",
               "tidegate-server");
  app.set_version_flag("--version", std::string("tidegate-server ") + kVersion);
  app.get_formatter()->column_width(34);

  auto* const health = app.add_option(
      "--health", options.health,
      "Serve nothing, but ask the server at HOST:PORT for its health; the exit code is 0 if it serves");
  auto* const models =
      app.add_option("--models", options.models,
                     "Folder of the models: DIR/<name>/<version>/, the highest version is served")
          ->type_name("DIR");
  health->type_name("HOST:PORT")->excludes(models);
  app.add_option(
         "--listen", options.listen,
         "Address for gRPC; port 0: a free one. Without --tls-cert nothing is encrypted: listen on other "
         "addresses only in networks you trust")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app.add_option("--metrics-listen", options.metrics_listen,
                 "Address for Prometheus, http://HOST:PORT/metrics; port 0: a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app.add_option("--default-model", options.default_model,
                 "Model of requests that name none; without it, the only model if there is just one")
      ->type_name("NAME");
  app.add_option("--max-streams", options.max_streams,
                 "Streams to keep, over all models; readings of further ones are OVERLOADED")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 31))
      ->type_name("COUNT")
      ->capture_default_str();
  app.add_option(
         "--expire-after", expire_seconds,
         "Forget streams whose last reading is older than this, by its own time, once they take none; "
         "0: streams stay until they are deleted")
      ->check(CLI::Range(0.0, 1e9))
      ->type_name("SECONDS")
      ->default_str("0");
  app.add_option(
         "--shards", options.shards,
         "Threads that serve, each with streams of its own; 0: half as many as there are CPUs, by affinity "
         "and control group, at least one")
      ->check(CLI::Range(std::size_t{0}, std::size_t{64}))
      ->type_name("COUNT")
      ->capture_default_str();
  app.add_option("--max-future", max_future_seconds,
                 "How far a reading's time may lie ahead of this machine's clock; later ones are INVALID")
      ->check(CLI::Range(0.0, 1e9))
      ->type_name("SECONDS")
      ->capture_default_str();
  app.add_option("--drain-delay", drain_delay_seconds,
                 "After SIGTERM, time to serve on with health NOT_SERVING, so that load balancers notice")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("SECONDS")
      ->capture_default_str();
  AddStoreFlags(app, options, checkpoint_seconds);
  AddTlsFlags(app, options.tls, *health);
  app.add_option(
         "--tokens", options.tokens,
         "Serve only calls with a bearer token: a file of lines '<scope[,scope]> <SHA-256 of the token> "
         "[name]' with the scopes push, read, admin; read anew when it changes. Health needs none")
      ->type_name("FILE");
  app.add_flag("--reflection", options.reflection,
               "Let clients such as grpcurl ask for the services and messages (gRPC server reflection)");
  app.add_option("--log-format", options.log_format,
                 "How to log to stderr: text, or json, an object with time, level, thread and message a line")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  app.add_option("--log-level", options.log_level,
                 "What to log to stderr: trace, debug, info, warn, error or off")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->type_name("LEVEL")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
    if (options.models.empty() && options.health.empty()) throw CLI::RequiredError("--models");
    for (const auto& [flag, given] : {std::pair("--backups", !options.backups.empty()),
                                      std::pair("--keep-journal", options.keep_journal)}) {
      if (given && options.durability == "none")
        throw CLI::ValidationError(flag, "there is no journal with --durability none");
    }
  } catch (const CLI::ParseError& error) {
    return ExitCode{app.exit(error) == 0 ? 0 : 2};
  }
  options.max_future = absl::Seconds(max_future_seconds);
  options.drain_delay = absl::Seconds(drain_delay_seconds);
  options.expire_after = absl::Seconds(expire_seconds);
  options.checkpoint_interval = absl::Seconds(checkpoint_seconds);
  return options;
}

}  // namespace tidegate
