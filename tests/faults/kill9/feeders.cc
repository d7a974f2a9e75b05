#include "tests/faults/kill9/feeders.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <span>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

constexpr std::size_t kUnanswered = 2048;  // readings of a client

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  ResumingStream::SetUp(arguments);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct Feeders::Client {
  Client(std::shared_ptr<const Model> model, const std::string& name, std::size_t streams, std::uint64_t seed)
      : feed(model->spec(), name, 0, streams, seed), check(std::move(model), streams) {
    for (std::size_t i = 0; i < streams; ++i) ids.push_back(absl::StrCat(name, i));
  }

  std::vector<std::string> ids;
  SoakFeed feed;
  absl::Mutex mutex;
  NumberedCheck check ABSL_GUARDED_BY(mutex);
  std::uint64_t interruptions ABSL_GUARDED_BY(mutex) = 0;
};

Feeders::Feeders(const std::shared_ptr<const Model>& model, std::string address, std::size_t clients,
                 std::size_t streams, std::uint64_t seed)
    : address_(std::move(address)), spec_(model->spec()) {
  for (std::size_t i = 0; i < clients; ++i) {
    clients_.push_back(std::make_unique<Client>(model, absl::StrCat("client-", i, "-"), streams, seed + i));
  }
  for (const auto& client : clients_) threads_.emplace_back([this, &client = *client] { Run(client); });
}

Feeders::~Feeders() { Stop(); }

void Feeders::Run(Client& client) {
  ResumingStream::Options options;
  options.wanted.set_model(spec_.name);
  options.most_unanswered = kUnanswered;
  options.first_delay = absl::Milliseconds(10);
  options.most_delay = absl::Milliseconds(100);
  options.retry_for = absl::InfiniteDuration();
  options.on_interruption = [this](const auto&) {
    return fault().empty() ? absl::OkStatus() : absl::CancelledError("something is wrong already");
  };
  ResumingStream stream([this] { return Connect(address_); }, options,
                        [&](const ResumingStream::Answer& answer) {
                          const absl::MutexLock lock(&client.mutex);
                          client.check.Check(answer);
                          return client.check.mismatches() == 0 ? absl::OkStatus()
                                                                : absl::InternalError(client.check.report());
                        });
  for (const std::string& id : client.ids) stream.AddStream(id);
  absl::Status status;
  std::vector<ResumingStream::Reading> readings;
  const auto stopping = [this] {
    const absl::MutexLock lock(&mutex_);
    return stopping_;
  };
  while (status.ok() && !stopping()) {
    const v1::PushRequest message = client.feed.opened() ? client.feed.Next() : client.feed.Open();
    readings.clear();
    const std::size_t features = spec_.features.size();
    for (int i = 0; i < message.timestamp_size(); ++i) {
      const std::size_t first = static_cast<std::size_t>(i) * features;
      readings.push_back({.stream = message.handle(i),
                          .timestamp_ns = message.timestamp(i),
                          .values = std::span(message.value().data() + first, features)});
    }
    status = stream.Send(readings);
    const absl::MutexLock lock(&client.mutex);
    client.interruptions = stream.interruptions();
  }
  if (status.ok() && fault().empty()) status = stream.Finish();
  std::string fault = status.ok() ? CompareCursors(client) : std::string(status.message());
  if (!fault.empty()) Report(fault);
}

std::string Feeders::CompareCursors(Client& client) {
  v1::GetCursorRequest request;
  for (const std::string& id : client.ids) request.add_stream_id(id);
  v1::GetCursorResponse cursors;
  grpc::ClientContext context;
  const grpc::Status status =
      v1::Forecaster::NewStub(Connect(address_))->GetCursor(&context, request, &cursors);
  if (!status.ok()) return status.error_message();
  const absl::MutexLock lock(&client.mutex);
  for (int i = 0; i < request.stream_id_size(); ++i) {
    const StreamHeader& header = client.check.header(static_cast<std::uint32_t>(i));
    if (cursors.sequence(i) == header.sequence && cursors.steps(i) == header.steps &&
        (header.steps == 0 || cursors.timestamp(i) == header.timestamp_ns)) {
      continue;
    }
    return absl::StrCat("stream ", request.stream_id(i), " has come to number ", cursors.sequence(i),
                        ", step ", cursors.steps(i), "; expected ", header.sequence, " and ", header.steps);
  }
  return "";
}

void Feeders::Report(const std::string& fault) {
  const absl::MutexLock lock(&mutex_);
  if (fault_.empty()) fault_ = fault;
}

bool Feeders::WaitForFault(absl::Duration limit) {
  const absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(
                                     +[](std::string* fault) { return !fault->empty(); }, &fault_),
                                 limit);
}

bool Feeders::WaitForAnswers(std::uint64_t readings) {
  const std::uint64_t until = sum().answered + readings;
  while (!WaitForFault(absl::Milliseconds(10))) {
    if (sum().answered >= until) return true;
  }
  return false;
}

void Feeders::Stop() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::string Feeders::fault() const {
  const absl::MutexLock lock(&mutex_);
  return fault_;
}

Feeders::Sum Feeders::sum() const {
  Sum sum;
  for (const auto& client : clients_) {
    const absl::MutexLock lock(&client->mutex);
    sum.answered += client->check.readings();
    sum.compared += client->check.compared();
    sum.duplicates += client->check.duplicates();
    sum.repeated += client->check.repeated();
    sum.interruptions += client->interruptions;
  }
  return sum;
}

}  // namespace tidegate
