#include "clients/cli/load_feed.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

constexpr std::size_t kOpenReadings = 1024;
constexpr std::size_t kValues = 4093;  // a prime, so that streams do not get the same ones every turn

}  // namespace

LoadFeed::LoadFeed(const LoadOptions& options, const LoadGrid& grid, std::size_t first, std::size_t streams)
    : options_(options), grid_(grid), first_(first), order_(streams), time_ns_(grid.start_ns) {
  std::mt19937_64 random(options.seed + first);
  std::iota(order_.begin(), order_.end(), 0);
  std::shuffle(order_.begin(), order_.end(), random);
  std::normal_distribution<float> value(20, 2);
  for (std::size_t i = 0; i < kValues; ++i) values_.push_back(value(random));
  request_.set_model(options.model);
}

void LoadFeed::Begin() {
  request_.clear_stream_id();
  request_.clear_handle();
  request_.clear_timestamp();
  request_.clear_value();
}

void LoadFeed::Add(std::size_t stream, bool name) {
  if (name || options_.unary) request_.add_stream_id(absl::StrCat(options_.stream_prefix, first_ + stream));
  if (!options_.unary) request_.add_handle(static_cast<std::uint32_t>(stream));
  request_.add_timestamp(time_ns_);
  for (std::size_t f = 0; f < options_.features; ++f) {
    request_.add_value(values_[value_]);
    if (++value_ == kValues) value_ = 0;
  }
}

const v1::PushRequest& LoadFeed::Open() {
  Begin();
  request_.set_acknowledge_only(true);
  const std::size_t end = std::min(order_.size(), named_ + kOpenReadings);
  for (; named_ < end; ++named_) Add(named_, true);
  if (opened()) time_ns_ += grid_.interval_ns;
  return request_;
}

const v1::PushRequest& LoadFeed::Next() {
  Begin();
  request_.set_acknowledge_only(options_.acknowledge_only);
  if (!options_.acknowledge_only) {
    request_.set_horizon(options_.horizon);
    request_.mutable_quantile()->Assign(options_.quantiles.begin(), options_.quantiles.end());
  }
  for (std::size_t i = 0; i < options_.batch; ++i) {
    Add(order_[place_], false);
    if (++place_ == order_.size()) {
      place_ = 0;
      time_ns_ += grid_.interval_ns;
    }
  }
  return request_;
}

}  // namespace tidegate
