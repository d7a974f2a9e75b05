#include "clients/client/resuming_stream.h"

#include <grpc/grpc.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace tidegate {
namespace {

constexpr int kMostCursors = 4096;  // of one call
constexpr absl::Duration kQuestionLimit = absl::Seconds(10);

// Whether the same again may do later.
bool Passes(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:  // so gRPC calls a connection that broke at the wrong moment
      return true;
    case absl::StatusCode::kResourceExhausted:  // also gRPC's word for a message that is too large
      return !absl::StrContains(status.message(), "message larger than max");
    default:
      return false;
  }
}

// Whether a reading was not taken though nothing is wrong with it.
bool IsPutOff(const v1::PushResponse& response, int i) {
  switch (response.outcome(i)) {
    case v1::OUTCOME_OVERLOADED:
    case v1::OUTCOME_SEQUENCE_GAP:
    case v1::OUTCOME_UNKNOWN_STREAM:
      return true;
    default:
      return response.reason_size() > i && response.reason(i) == v1::REASON_STREAM_DELETED;
  }
}

}  // namespace

void ResumingStream::SetUp(grpc::ChannelArguments& arguments) {
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
}

ResumingStream::ResumingStream(Connect connect, Options options, OnAnswer on_answer)
    : connect_(std::move(connect)),
      options_(std::move(options)),
      on_answer_(std::move(on_answer)),
      delay_(options_.first_delay),
      random_(std::random_device()()) {}

ResumingStream::~ResumingStream() {
  if (call_ != nullptr) EndCall(/*cancel=*/true).IgnoreError();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

absl::Status ResumingStream::StatusOf(const grpc::Status& status) const {
  if (options_.describe) return options_.describe(status);
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

absl::StatusOr<std::vector<ResumingStream::Cursor>> ResumingStream::AskCursors(
    std::span<const std::string> ids) {
  std::vector<Cursor> cursors;
  cursors.reserve(ids.size());
  while (cursors.size() < ids.size()) {
    v1::GetCursorRequest request;
    v1::GetCursorResponse response;
    for (const std::string& id : ids.subspan(cursors.size())) {
      if (request.stream_id_size() == kMostCursors) break;
      request.add_stream_id(id);
    }
    if (auto s = Retry([&] { return GetCursors(request, response); }); !s.ok()) return s;
    GoesOn();
    for (int i = 0; i < request.stream_id_size(); ++i) {
      cursors.push_back({.timestamp_ns = response.timestamp(i), .sequence = response.sequence(i)});
    }
  }
  return cursors;
}

absl::StatusOr<v1::ModelInfo> ResumingStream::AskModel() {
  v1::GetModelRequest request;
  request.set_model(options_.wanted.model());
  v1::ModelInfo model;
  absl::Status asked = Retry([&] {
    grpc::ClientContext context;
    SetUp(context);
    const grpc::Status status = stub().GetModel(&context, request, &model);
    return status.ok() ? absl::OkStatus() : StatusOf(status);
  });
  if (!asked.ok()) return asked;
  GoesOn();
  return model;
}

std::uint32_t ResumingStream::AddStream(std::string id, std::uint64_t last) {
  streams_.push_back({.id = std::move(id), .last = last, .answered = last});
  return static_cast<std::uint32_t>(streams_.size() - 1);
}

absl::Status ResumingStream::Send(std::span<const Reading> readings) {
  if (!readings.empty()) Enqueue(readings);
  return Proceed([this] { return unanswered_ <= options_.most_unanswered; });
}

void ResumingStream::Enqueue(std::span<const Reading> readings) {
  if (waiting_.empty() && !broken_by_.ok()) {  // it may have been broken for long: nothing wanted it back
    broken_since_ = absl::Now();
    delay_ = options_.first_delay;
  }
  Message& message = waiting_.emplace_back();
  message.request = options_.wanted;
  message.sent = absl::Now();
  message.streams.reserve(readings.size());
  for (const Reading& reading : readings) {
    message.streams.push_back(reading.stream);
    message.request.add_handle(0);
    message.request.add_timestamp(reading.timestamp_ns);
    message.request.mutable_value()->Add(reading.values.begin(), reading.values.end());
    message.request.add_sequence(reading.numbered ? ++streams_[reading.stream].last : 0);
  }
  unanswered_ += readings.size();
}

absl::Status ResumingStream::Finish() {
  if (auto s = Proceed([this] { return waiting_.empty(); }); !s.ok()) return s;
  if (call_ == nullptr) return absl::OkStatus();
  // The last answer may be here before the end of the write that it answers.
  while (starting_ || writing_) Complete(/*wait=*/true);
  writing_ = true;
  call_->WritesDone(TagOf(Operation::kWrite));
  EndCall(/*cancel=*/false).IgnoreError();  // all is answered: how it ends does not matter
  return absl::OkStatus();
}

absl::Status ResumingStream::Proceed(const std::function<bool()>& done) {
  while (failed_.ok()) {
    if (call_ == nullptr && !waiting_.empty()) {
      if (failed_ = Retry([this] { return Begin(); }); !failed_.ok()) break;
    }
    Write();
    const bool enough = done();
    if (!Complete(/*wait=*/!enough)) return absl::OkStatus();
    if (has_answer_) failed_ = TakeAnswer();
    if (!over_) continue;
    const absl::Status end = EndCall(/*cancel=*/false);
    Broke(end.ok() ? absl::UnavailableError("the server has ended the call") : end);
  }
  if (call_ != nullptr) EndCall(/*cancel=*/true).IgnoreError();
  return failed_;
}

absl::Status ResumingStream::Retry(const std::function<absl::Status()>& attempt) {
  while (true) {
    if (!broken_by_.ok()) {
      if (!Passes(broken_by_)) {
        broken_since_ = absl::InfiniteFuture();
        return std::exchange(broken_by_, absl::OkStatus());
      }
      const absl::Duration lasts = absl::Now() - broken_since_;
      if (lasts + delay_ > options_.retry_for) {
        return {
            broken_by_.code(),
            absl::StrCat("gave up after ", absl::FormatDuration(absl::Trunc(lasts, absl::Milliseconds(1))),
                         " without an answer: ", broken_by_.message())};
      }
      const absl::Duration wait = delay_ * std::uniform_real_distribution<>(0.75, 1.25)(random_);
      if (options_.on_interruption) {
        absl::Status wanted = options_.on_interruption(
            {.why = broken_by_, .lasts = lasts, .unanswered = unanswered_, .next_try = wait});
        if (!wanted.ok()) return wanted;
      }
      absl::SleepFor(wait);
      delay_ = std::min(2 * delay_, options_.most_delay);
    }
    absl::Status status = attempt();
    if (status.ok()) {
      broken_by_ = absl::OkStatus();
      return status;
    }
    Broke(std::move(status));
  }
}

void ResumingStream::Broke(absl::Status why) {
  if (broken_since_ == absl::InfiniteFuture()) {
    broken_since_ = absl::Now();
    ++interruptions_;
  }
  broken_by_ = std::move(why);
  stub_.reset();
}

v1::Forecaster::Stub& ResumingStream::stub() {
  if (stub_ == nullptr) stub_ = v1::Forecaster::NewStub(connect_());
  return *stub_;
}

void ResumingStream::GoesOn() {
  if (broken_since_ == absl::InfiniteFuture()) return;
  if (options_.on_interruption) {
    options_
        .on_interruption(
            {.why = {}, .lasts = absl::Now() - broken_since_, .unanswered = unanswered_, .next_try = {}})
        .IgnoreError();
  }
  broken_since_ = absl::InfiniteFuture();
  delay_ = options_.first_delay;
}

// A call that may yet turn out not to reach the server.
absl::Status ResumingStream::Begin() {
  if (calls_ > 0) {
    if (auto s = CheckCursors(); !s.ok()) return s;
  }
  context_ = std::make_unique<grpc::ClientContext>();
  if (options_.authorize) options_.authorize(*context_);
  ++calls_;
  handles_ = 0;
  call_ = stub().PrepareAsyncStream(context_.get(), &queue_);
  starting_ = true;
  call_->StartCall(TagOf(Operation::kStart));
  return absl::OkStatus();
}

// That the server has what it has answered of the streams that are waited for, and nothing of others.
absl::Status ResumingStream::CheckCursors() {
  std::vector<std::uint32_t> streams;
  for (const Message& message : waiting_) {
    streams.insert(streams.end(), message.streams.begin(), message.streams.end());
  }
  std::ranges::sort(streams);
  streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
  for (std::span<const std::uint32_t> rest = streams; !rest.empty();) {
    const auto asked = rest.first(std::min<std::size_t>(rest.size(), kMostCursors));
    rest = rest.subspan(asked.size());
    v1::GetCursorRequest request;
    v1::GetCursorResponse response;
    for (const std::uint32_t stream : asked) request.add_stream_id(streams_[stream].id);
    absl::Status status = GetCursors(request, response);
    if (absl::IsPermissionDenied(status)) return absl::OkStatus();  // a gap will show in the answers
    if (!status.ok()) return status;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const Stream& stream = streams_[asked[i]];
      const std::uint64_t taken = response.sequence(static_cast<int>(i));
      if (taken < stream.answered) {
        return absl::DataLossError(absl::StrCat("the server has lost readings of stream '", stream.id,
                                                "': it had answered number ", stream.answered,
                                                " and now has those up to ", taken,
                                                "; was it started on another folder, or without --data?"));
      }
      if (taken > stream.last) {
        return absl::FailedPreconditionError(
            absl::StrCat("somebody else pushes to stream '", stream.id, "': the server has number ", taken,
                         ", and this client has sent those up to ", stream.last));
      }
    }
  }
  return absl::OkStatus();
}

void ResumingStream::SetUp(grpc::ClientContext& context) const {
  context.set_deadline(absl::ToChronoTime(absl::Now() + kQuestionLimit));
  if (options_.authorize) options_.authorize(context);
}

absl::Status ResumingStream::GetCursors(const v1::GetCursorRequest& request,
                                        v1::GetCursorResponse& response) {
  grpc::ClientContext context;
  SetUp(context);
  const grpc::Status status = stub().GetCursor(&context, request, &response);
  if (!status.ok()) return StatusOf(status);
  if (response.sequence_size() == request.stream_id_size() &&
      response.timestamp_size() == request.stream_id_size()) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat("the server answers the question for ", request.stream_id_size(),
                                          " cursors with ", response.sequence_size(),
                                          ": client and server do not fit each other"));
}

void ResumingStream::Write() {
  if (call_ == nullptr || starting_ || writing_ || over_ || written_ == waiting_.size()) return;
  Message& message = waiting_[written_++];
  message.request.clear_stream_id();
  for (std::size_t i = 0; i < message.streams.size(); ++i) {
    Stream& stream = streams_[message.streams[i]];
    if (stream.call != calls_) {
      stream.call = calls_;
      stream.handle = handles_++;
      message.request.add_stream_id(stream.id);
    }
    message.request.set_handle(static_cast<int>(i), stream.handle);
  }
  writing_ = true;
  call_->Write(message.request, TagOf(Operation::kWrite));
}

absl::Status ResumingStream::TakeAnswer() {
  has_answer_ = false;
  const std::size_t expected = waiting_.empty() ? 0 : waiting_.front().streams.size();
  if (written_ == 0 || static_cast<std::size_t>(response_.outcome_size()) != expected) {
    return absl::InternalError(absl::StrCat("an answer to ", response_.outcome_size(), " readings, where ",
                                            expected, " had been sent: client and server do not fit"));
  }
  for (int i = 0; i < response_.outcome_size(); ++i) {
    if (!IsPutOff(response_, i)) continue;
    const std::string& id = streams_[waiting_.front().streams[static_cast<std::size_t>(i)]].id;
    EndCall(/*cancel=*/true).IgnoreError();
    Broke(absl::ResourceExhaustedError(
        absl::StrCat("a reading of stream '", id, "' was not taken: ", v1::Outcome_Name(response_.outcome(i)),
                     response_.reason_size() > i ? " " + v1::Reason_Name(response_.reason(i)) : "")));
    return absl::OkStatus();
  }
  const Message message = std::move(waiting_.front());
  waiting_.pop_front();
  --written_;
  unanswered_ -= message.streams.size();
  for (std::size_t i = 0; i < message.streams.size(); ++i) {
    std::uint64_t& answered = streams_[message.streams[i]].answered;
    answered = std::max<std::uint64_t>(answered, message.request.sequence(static_cast<int>(i)));
  }
  GoesOn();
  absl::Status status = on_answer_({.streams = message.streams,
                                    .request = message.request,
                                    .response = response_,
                                    .latency = absl::Now() - message.sent,
                                    .sent_again = message.again});
  reading_ = true;
  call_->Read(&response_, TagOf(Operation::kRead));
  return status;
}

absl::Status ResumingStream::EndCall(bool cancel) {
  if (cancel) context_->TryCancel();
  while (starting_ || reading_ || writing_) Complete(/*wait=*/true);
  grpc::Status status;
  finishing_ = true;
  call_->Finish(&status, TagOf(Operation::kFinish));
  while (finishing_) Complete(/*wait=*/true);
  call_.reset();
  context_.reset();
  has_answer_ = over_ = false;
  for (; written_ > 0; --written_) waiting_[written_ - 1].again = true;
  return StatusOf(status);
}

bool ResumingStream::Complete(bool wait) {
  void* tag = nullptr;
  bool ok = false;
  const gpr_timespec deadline =
      wait ? gpr_inf_future(GPR_CLOCK_MONOTONIC) : gpr_inf_past(GPR_CLOCK_MONOTONIC);
  if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return false;
  switch (OperationOf(tag)) {
    case Operation::kStart:
      starting_ = false;
      over_ = !ok;
      reading_ = ok;
      if (ok) call_->Read(&response_, TagOf(Operation::kRead));
      break;
    case Operation::kRead:
      reading_ = false;
      has_answer_ = ok;
      over_ = !ok;
      break;
    case Operation::kWrite:
      writing_ = false;  // if it failed, so does the read
      break;
    case Operation::kFinish:
      finishing_ = false;
      break;
  }
  return true;
}

}  // namespace tidegate
