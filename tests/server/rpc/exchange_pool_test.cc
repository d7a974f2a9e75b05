#include "server/rpc/exchange_pool.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "server/rpc/limits.h"
#include "server/rpc/unknown_fields.h"

namespace tidegate {
namespace {

constexpr std::size_t kSmall = 100, kLarge = 1 << 20;  // bytes of a request

TEST(ExchangePoolTest, AsManySmallOnesAsWereInFlightAreUsedAgain) {
  ExchangePool pool(1);
  std::vector<std::unique_ptr<Exchange>> in_flight;
  std::set<const Exchange*> seen;
  in_flight.reserve(1'000);
  for (int i = 0; i < 500; ++i) in_flight.push_back(pool.Take(kSmall));
  for (auto& exchange : in_flight) {
    seen.insert(exchange.get());
    pool.Return(std::move(exchange));
  }
  for (int i = 0; i < 500; ++i) {
    in_flight.push_back(pool.Take(kSmall));
    EXPECT_TRUE(seen.contains(in_flight.back().get()));
  }
}

TEST(ExchangePoolTest, WhatHasGrownIsNotKeptForSmallRequests) {
  ExchangePool pool(1);
  std::vector<float> answer(10'000);
  std::set<const Exchange*> large;
  for (const std::size_t request : {kLarge, kSmall}) {  // grown by its request; by its answer
    auto exchange = pool.Take(request);
    if (request == kSmall) exchange->forecast = answer;
    large.insert(exchange.get());
    pool.Return(std::move(exchange));
  }
  std::vector<std::unique_ptr<Exchange>> taken;
  for (int i = 0; i < 2; ++i) {
    taken.push_back(pool.Take(kSmall));
    EXPECT_FALSE(large.contains(taken.back().get()));
    taken.push_back(pool.Take(kLarge));
    EXPECT_TRUE(large.contains(taken.back().get()));
  }
}

TEST(ExchangePoolTest, WhatNamedMoreStreamsThanAMessageMayIsNotKept) {
  ExchangePool pool(1);
  auto exchange = pool.Take(kLarge);
  while (exchange->request.stream_id_size() <= static_cast<int>(limits::kMessageIds))
    exchange->request.add_stream_id("a stream whose id takes memory of its own");
  pool.Return(std::move(exchange));
  EXPECT_EQ(pool.Take(kLarge)->request.stream_id_size(), 0);
}

TEST(ExchangePoolTest, WhatHadUnknownFieldsIsNotKept) {
  ExchangePool pool(1);
  auto exchange = pool.Take(kLarge);
  exchange->request.GetReflection()->MutableUnknownFields(&exchange->request)->AddVarint(60, 0);
  pool.Return(std::move(exchange));
  EXPECT_EQ(OwnUnknownFields(pool.Take(kLarge)->request), 0u);
}

}  // namespace
}  // namespace tidegate
