#include "server/shard/mailbox.h"

#include <iterator>

namespace tidegate {

void Mailbox::Post(std::vector<Letter>& letters) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    letters_.insert(letters_.end(), std::make_move_iterator(letters.begin()),
                    std::make_move_iterator(letters.end()));
    wake = std::exchange(sleeps_, false);
  }
  letters.clear();
  if (wake) wake_();
}

void Mailbox::Post(Letter letter) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    letters_.push_back(std::move(letter));
    wake = std::exchange(sleeps_, false);
  }
  if (wake) wake_();
}

void Mailbox::Take(std::vector<Letter>& letters) {
  const std::lock_guard lock(mutex_);
  sleeps_ = false;
  letters.swap(letters_);
}

bool Mailbox::MaySleep() {
  const std::lock_guard lock(mutex_);
  sleeps_ = letters_.empty();
  return sleeps_;
}

}  // namespace tidegate
