#include "server/rpc/exchange_pool.h"

#include <utility>

#include "server/rpc/limits.h"
#include "server/rpc/unknown_fields.h"

namespace tidegate {

std::unique_ptr<Exchange> ExchangePool::Take(std::size_t request_bytes) {
  const bool large = request_bytes > kSmallRequest;
  auto& waiting = large ? large_ : small_;
  if (waiting.empty()) {
    auto exchange = std::make_unique<Exchange>(shards_);
    exchange->large = large;
    return exchange;
  }
  auto exchange = std::move(waiting.back());
  waiting.pop_back();
  return exchange;
}

void ExchangePool::Return(std::unique_ptr<Exchange> exchange) {
  const v1::PushRequest& request = exchange->request;
  if (static_cast<std::size_t>(request.stream_id_size()) > limits::kMessageIds) return;
  if (OwnUnknownFields(request) > 0) return;
  exchange->large |= exchange->forecast.size() > kSmallAnswer;
  auto& waiting = exchange->large ? large_ : small_;
  if (waiting.size() < (exchange->large ? kMaxLarge : kMaxSmall)) waiting.push_back(std::move(exchange));
}

}  // namespace tidegate
