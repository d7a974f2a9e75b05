#include "clients/cli/train_progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace tidegate {

std::string ProgressBar(double share, int width) {
  const auto filled = static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * width));
  return absl::StrCat("[", std::string(filled, '#'),
                      std::string(static_cast<std::size_t>(width) - filled, '.'), "]");
}

TrainProgressLine::TrainProgressLine()
    : terminal_(isatty(STDOUT_FILENO) == 1),
      begin_(absl::Now()),
      drawn_(absl::InfinitePast()),
      epoch_begin_(begin_) {}

std::string TrainProgressLine::Left(double epochs_done, double epochs) const {
  const double done = epochs_done - std::max(done_before_, 0.0);
  if (done <= 0) return "";
  const double spent = absl::ToDoubleSeconds(absl::Now() - begin_);
  return absl::StrFormat("%.0f s, at most %.0f s left", spent, spent / done * (epochs - epochs_done));
}

void TrainProgressLine::Part(const std::string& part) {
  if (terminal_) std::cout << "\r\033[K  " << part << " ..." << std::flush;
  epoch_begin_ = absl::Now();  // the first epoch begins after the last of these
}

void TrainProgressLine::Within(const TrainMoment& moment) {
  const absl::Time now = absl::Now();
  if (done_before_ < 0) {
    done_before_ = static_cast<double>(moment.epoch - 1);
    begin_ = epoch_begin_;
  }
  if (!terminal_ || now - drawn_ < absl::Milliseconds(100)) return;
  drawn_ = now;
  const auto epochs = static_cast<double>(moment.epochs);
  const double done = static_cast<double>(moment.epoch) - 1 + moment.share;
  std::cout << "\r\033[K"
            << absl::StrFormat("  epoch %3d of %d %s %3.0f %%%s   %s%s", moment.epoch, moment.epochs,
                               ProgressBar(done / epochs, 24), 100 * done / epochs, scores_,
                               Left(done, epochs), moment.refit ? "   (with the validation readings)" : "")
            << std::flush;
}

double TrainProgressLine::Epoch(const TrainProgress& progress) {
  const absl::Time now = absl::Now();
  if (done_before_ < 0) done_before_ = static_cast<double>(progress.epoch - 1);
  scores_ = absl::StrFormat("   loss %.4f   validation %.4f   best %.4f", progress.training_loss,
                            progress.validation_loss, progress.best_loss);
  std::cout << (terminal_ ? "\r\033[K" : "")
            << absl::StrFormat(
                   "  epoch %3d of %d%s   %s\n", progress.epoch, progress.epochs, scores_,
                   Left(static_cast<double>(progress.epoch), static_cast<double>(progress.epochs)))
            << std::flush;
  const double seconds = absl::ToDoubleSeconds(now - epoch_begin_);
  epoch_begin_ = now;
  return seconds;
}

void TrainProgressLine::End() const { std::cout << (terminal_ ? "\r\033[K" : "") << std::flush; }

}  // namespace tidegate
