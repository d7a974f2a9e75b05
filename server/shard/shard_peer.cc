#include "server/shard/shard_peer.h"

#include <chrono>
#include <utility>

namespace tidegate {
namespace {

constexpr std::chrono::milliseconds kMostTasks{5};  // that readings wait for

}  // namespace

ShardPeer::ShardPeer(std::size_t index, Shard& shard, const std::vector<std::unique_ptr<Mailbox>>& mailboxes)
    : index_(index), shard_(shard), mailboxes_(mailboxes), leaving_(mailboxes.size()) {}

void ShardPeer::Admit(Message& message, NamedStreams& streams) {
  if (shards() == 1) {
    streams.Assign(message);
    return shard_.Admit(message);
  }
  streams.Divide(message, index_);
  const auto asked = [](const Part& part) { return !part.rows.empty() || !part.ids.empty(); };
  // Counted first: a part may be answered at once.
  message.parts_left = 1;
  message.any_reason = false;
  for (std::size_t s = 0; s < shards(); ++s) message.parts_left += s != index_ && asked(message.parts[s]);
  for (std::size_t s = 0; s < shards(); ++s) {
    Part& part = message.parts[s];
    part.home = static_cast<std::uint32_t>(index_);
    if (s == index_) {
      shard_.Admit(part);
    } else if (asked(part)) {
      leaving_[s].push_back({.work = &part});
    }
  }
}

void ShardPeer::Receive() {
  if (next_letter_ == letters_.size()) {
    letters_.clear();
    next_letter_ = 0;
    mailboxes_[index_]->Take(letters_);
  }
  const auto enough = Work::Clock::now() + kMostTasks;
  while (next_letter_ < letters_.size()) {
    Letter& letter = letters_[next_letter_++];
    if (letter.work == nullptr) {
      std::exchange(letter.task, nullptr)();
      if (Work::Clock::now() >= enough) return;
    } else if (letter.answered) {
      Return(static_cast<Part&>(*letter.work));
    } else {
      shard_.Admit(*letter.work);
    }
  }
}

void ShardPeer::Run(std::vector<Message*>& done) {
  done_.clear();
  shard_.Run(done_);
  for (Work* work : done_) {
    if (!work->part) {
      returned_.push_back(static_cast<Message*>(work));
    } else if (work->home == index_) {
      Return(static_cast<Part&>(*work));
    } else {
      leaving_[work->home].push_back({.work = work, .answered = true});
    }
  }
  done.insert(done.end(), returned_.begin(), returned_.end());
  returned_.clear();
}

void ShardPeer::Return(Part& part) {
  Message& message = *part.message;
  message.any_reason |= part.any_reason;
  if (--message.parts_left == 0) returned_.push_back(&message);
}

void ShardPeer::Send() {
  for (std::size_t s = 0; s < shards(); ++s) {
    if (!leaving_[s].empty()) mailboxes_[s]->Post(leaving_[s]);
  }
}

}  // namespace tidegate
