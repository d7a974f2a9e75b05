#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "server/shard/work.h"

namespace tidegate {

// What one thread hands to the thread of a shard.
struct Letter {
  Work* work = nullptr;             // to be served there, or, if `answered`, coming home
  bool answered = false;            // by another shard
  std::function<void()> task = {};  // without a work: to be called there
};

// The letters to one shard's thread, in the order in which they were posted. How many there may be is bounded
// by what calls may have unanswered (see limits.h): a letter is a part of a message, its way home, or a rare
// task.
class Mailbox {
 public:
  // wake: makes the owner look into the mailbox; called by a posting thread, without a lock, once for each
  // time that the owner sleeps.
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  // Moves the letters to the owner. Safe from any thread.
  void Post(std::vector<Letter>& letters);
  void Post(Letter letter);

  // What follows is for the owner.

  // Moves all letters to `letters`, which is empty.
  void Take(std::vector<Letter>& letters);

  // True: there are no letters, and the next one wakes the owner. False: there are some.
  bool MaySleep();

 private:
  std::function<void()> wake_;
  std::mutex mutex_;  // guards what follows
  std::vector<Letter> letters_;
  bool sleeps_ = false;
};

}  // namespace tidegate
