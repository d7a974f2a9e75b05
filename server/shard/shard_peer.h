#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "server/shard/mailbox.h"
#include "server/shard/message.h"
#include "server/shard/named_streams.h"
#include "server/shard/shard.h"

namespace tidegate {

// A shard among all shards of the process: takes whole messages in, serves the readings whose streams it
// owns, has the other shards serve theirs, and hands messages back when all their readings are answered. A
// message of streams that it owns alone never leaves its thread. Owned by that thread; not thread-safe.
class ShardPeer {
 public:
  // mailboxes: of all shards, by index; complete, and there as long as this.
  ShardPeer(std::size_t index, Shard& shard, const std::vector<std::unique_ptr<Mailbox>>& mailboxes);

  std::size_t index() const { return index_; }
  std::size_t shards() const { return mailboxes_.size(); }

  // Takes a message in, its columns set; those of its readings that this shard serves wait, the others leave
  // with the next Send. streams: of its call, or its own.
  void Admit(Message& message, NamedStreams& streams);

  // Takes what other threads have posted: parts of their messages, parts of ours that are answered, tasks,
  // which are called. When tasks have taken some milliseconds the rest is left for the next call.
  void Receive();

  // Steps some batches, and appends the messages that are answered to `done`.
  void Run(std::vector<Message*>& done);

  // Sends what others are to serve, and what they have asked for.
  void Send();

  // Nothing to do but to wait for others.
  bool idle() const { return shard_.idle() && returned_.empty(); }
  // No letter waits; the next one wakes this thread.
  bool MaySleep() { return next_letter_ == letters_.size() && mailboxes_[index_]->MaySleep(); }

 private:
  void Return(Part& part);

  const std::size_t index_;
  Shard& shard_;
  const std::vector<std::unique_ptr<Mailbox>>& mailboxes_;
  std::vector<std::vector<Letter>> leaving_;  // by shard
  std::vector<Letter> letters_;
  std::size_t next_letter_ = 0;     // of these
  std::vector<Message*> returned_;  // answered
  std::vector<Work*> done_;
};

}  // namespace tidegate
