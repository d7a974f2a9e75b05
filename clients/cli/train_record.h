#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/train/trainer.h"

namespace tidegate {

// What a training writes: a line of JSON for each epoch, a picture of these, and after each epoch a
// checkpoint with them, from which it can go on. Everything is written beside its place and then moved there.
class TrainRecord {
 public:
  // checkpoint: a file; the lines lie beside it with ".jsonl" appended. log: a file that gets each line at
  // once; empty: none.
  TrainRecord(std::filesystem::path checkpoint, std::string log);

  // Reads the last checkpoint and the lines up to it. NotFound: there is none.
  absl::StatusOr<Checkpoint> Resume();

  // After an epoch. Unavailable: a file cannot be written.
  absl::Status Add(const TrainProgress& progress, double seconds);
  absl::Status Save(const Checkpoint& checkpoint);
  bool saved() const { return saved_; }  // there is a checkpoint of this training

  // Writes training.jsonl and training.svg into a model's folder.
  absl::Status WriteBeside(const std::filesystem::path& model, const std::string& name) const;

  // When the training has come to its end.
  void RemoveCheckpoint() const;

 private:
  struct Line {
    std::size_t epoch;
    double loss, validation;
    std::string text;
  };
  std::string Text() const;
  std::filesystem::path LinesFile() const { return checkpoint_.string() + ".jsonl"; }

  std::filesystem::path checkpoint_;
  std::string log_;
  std::vector<Line> lines_;
  bool saved_ = false;
};

}  // namespace tidegate
