#include "clients/cli/train_record.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "clients/cli/chart.h"
#include "engine/model/read_file.h"

namespace tidegate {
namespace {

using Json = nlohmann::ordered_json;

absl::Status WriteWhole(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path draft = file.string() + ".draft";
  std::ofstream stream(draft, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  std::error_code error;
  if (stream) std::filesystem::rename(draft, file, error);
  if (!stream || error)
    return absl::UnavailableError(
        absl::StrCat("cannot write ", file.string(), ": ", error ? error.message() : std::strerror(errno)));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadWhole(const std::filesystem::path& file) {
  auto bytes = ReadWholeFile(file);
  if (!absl::IsNotFound(bytes.status())) return bytes;
  return absl::NotFoundError(absl::StrCat("no ", file.string(), ": there is no training to go on with"));
}

}  // namespace

TrainRecord::TrainRecord(std::filesystem::path checkpoint, std::string log)
    : checkpoint_(std::move(checkpoint)), log_(std::move(log)) {}

absl::StatusOr<Checkpoint> TrainRecord::Resume() {
  const auto bytes = ReadWhole(checkpoint_);
  if (!bytes.ok()) return bytes.status();
  auto checkpoint = ParseCheckpoint(*bytes);
  if (!checkpoint.ok())
    return absl::InvalidArgumentError(
        absl::StrCat(checkpoint_.string(), ": ", checkpoint.status().message()));
  const auto text = ReadWhole(LinesFile());
  if (!text.ok()) return text.status();
  for (const absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object())
      return absl::InvalidArgumentError(absl::StrCat(LinesFile().string(), ": is damaged"));
    const auto number = [&json](const char* name) {
      return json[name].is_number() ? json[name].get<double>() : NAN;
    };
    const auto epoch = static_cast<std::size_t>(number("epoch"));
    if (epoch <= checkpoint->epoch)
      lines_.push_back({epoch, number("loss"), number("validation"), std::string(line)});
  }
  saved_ = true;
  return checkpoint;
}

absl::Status TrainRecord::Add(const TrainProgress& progress, double seconds) {
  const Json json = {{"epoch", progress.epoch},
                     {"loss", progress.training_loss},
                     {"validation", progress.validation_loss},
                     {"best", progress.best_loss},
                     {"best_epoch", progress.best_epoch},
                     {"learning_rate", progress.learning_rate},
                     {"seconds", seconds}};
  lines_.push_back({progress.epoch, progress.training_loss, progress.validation_loss, json.dump()});
  if (log_.empty()) return absl::OkStatus();
  std::ofstream log(log_, std::ios::binary | (lines_.size() == 1 ? std::ios::trunc : std::ios::app));
  log << lines_.back().text << '\n';
  log.close();
  return log ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("cannot write ", log_));
}

std::string TrainRecord::Text() const {
  std::string text;
  for (const Line& line : lines_) absl::StrAppend(&text, line.text, "\n");
  return text;
}

// The lines first: those after the checkpoint's epoch are not read.
absl::Status TrainRecord::Save(const Checkpoint& checkpoint) {
  std::error_code error;
  std::filesystem::create_directories(checkpoint_.parent_path(), error);
  if (absl::Status status = WriteWhole(LinesFile(), Text()); !status.ok()) return status;
  absl::Status written = WriteWhole(checkpoint_, WriteCheckpoint(checkpoint));
  saved_ |= written.ok();
  return written;
}

absl::Status TrainRecord::WriteBeside(const std::filesystem::path& model, const std::string& name) const {
  Chart chart = {.x_label = "epoch", .y_label = "loss"};
  Chart::Line loss = {.name = "training", .colour = "loss", .dots = lines_.size() <= 60};
  Chart::Line validation = {.name = "validation", .colour = "best", .dots = loss.dots};
  const Line* best = nullptr;
  for (const Line& line : lines_) {
    loss.points.emplace_back(line.epoch, line.loss);
    validation.points.emplace_back(line.epoch, line.validation);
    if (best == nullptr || line.validation < best->validation) best = &line;
  }
  if (best != nullptr) {
    chart.title = absl::StrFormat("Training of %s: best after epoch %d, validation loss %.4f", name,
                                  best->epoch, best->validation);
    chart.marks = {static_cast<double>(best->epoch)};
  }
  chart.lines = {loss, validation};
  if (absl::Status status = WriteWhole(model / "training.jsonl", Text()); !status.ok()) return status;
  return WriteWhole(model / "training.svg", SvgOf(chart, true));
}

void TrainRecord::RemoveCheckpoint() const {
  std::error_code none;  // what is left is overwritten by the next training
  std::filesystem::remove(checkpoint_, none);
  std::filesystem::remove(LinesFile(), none);
}

}  // namespace tidegate
