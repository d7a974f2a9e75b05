#pragma once

#include <string>

#include "absl/time/time.h"
#include "engine/train/trainer.h"

namespace tidegate {

// How far a training is, on standard output: one line per epoch; on a terminal also a bar that moves within
// the epoch and is written over.
class TrainProgressLine {
 public:
  TrainProgressLine();

  void Part(const std::string& part);           // of what comes before and after the epochs, on a terminal
  void Within(const TrainMoment& moment);       // draws at most ten times a second, on a terminal only
  double Epoch(const TrainProgress& progress);  // returns the seconds since the last one
  void End() const;

 private:
  // Seconds that are left if every epoch takes as long as those so far, "" before anything is known.
  std::string Left(double epochs_done, double epochs) const;

  bool terminal_;
  absl::Time begin_, drawn_, epoch_begin_;
  double done_before_ = -1;  // epochs before this run; -1: not known yet
  std::string scores_;       // of the last epoch
};

// "[#####.....]", `share` of it filled.
std::string ProgressBar(double share, int width);

}  // namespace tidegate
