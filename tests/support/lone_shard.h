#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "server/shard/shard_peer.h"

namespace tidegate {

// A shard without others, with all that it needs.
struct LoneShard {
  LoneShard(std::span<const std::shared_ptr<const Model>> models, std::size_t max_streams)
      : budget(max_streams), metrics(models.size()), shard(models, budget, metrics) {
    mailboxes.push_back(std::make_unique<Mailbox>([] {}));
    peer.emplace(0, shard, mailboxes);
  }

  StreamBudget budget;
  ShardMetrics metrics;
  Shard shard;
  std::vector<std::unique_ptr<Mailbox>> mailboxes;
  std::optional<ShardPeer> peer;
};

}  // namespace tidegate
