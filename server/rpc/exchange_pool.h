#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "server/rpc/exchange.h"

namespace tidegate {

// Exchanges that wait for their next request. Their memory has grown to the largest they have had, so those
// that never had much are kept apart: there may be as many of them as clients send small messages at once.
// Owned by its shard's thread.
class ExchangePool {
 public:
  explicit ExchangePool(std::size_t shards) : shards_(shards) {}

  // For a request of so many bytes.
  std::unique_ptr<Exchange> Take(std::size_t request_bytes);

  // Of a request that has been answered, or refused. One that named more streams than a message may, or had
  // fields that the server does not know, is not kept, as room for them would be.
  void Return(std::unique_ptr<Exchange> exchange);

 private:
  static constexpr std::size_t kMaxSmall = 1'024, kMaxLarge = 64;  // exchanges kept
  static constexpr std::size_t kSmallRequest = 2'048;              // bytes
  static constexpr std::size_t kSmallAnswer = 1'024;               // floats of its forecasts

  std::size_t shards_;
  std::vector<std::unique_ptr<Exchange>> small_, large_;
};

}  // namespace tidegate
