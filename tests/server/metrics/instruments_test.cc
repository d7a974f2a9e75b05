#include "server/metrics/instruments.h"

#include <gtest/gtest.h>

#include <array>
#include <ctime>
#include <thread>

namespace tidegate {
namespace {

TEST(HistogramTest, ABoundBelongsToItsBucketAndWhatIsAboveAllHasOneToo) {
  static constexpr std::array kBounds = {1.0, 2.0, 4.0};
  Histogram histogram(kBounds);
  for (const double value : {0.5, 1.0, 1.5, 4.0, 4.1, 100.0}) histogram.Observe(value);
  EXPECT_EQ(histogram.count(0), 2u);
  EXPECT_EQ(histogram.count(1), 1u);
  EXPECT_EQ(histogram.count(2), 1u);
  EXPECT_EQ(histogram.count(3), 2u);
  EXPECT_DOUBLE_EQ(histogram.sum(), 111.1);
}

TEST(HistogramTest, ASampleCountsForThoseLikeIt) {
  static constexpr std::array kBounds = {1.0, 2.0};
  Histogram histogram(kBounds);
  histogram.Observe(1.5, 8);
  EXPECT_EQ(histogram.count(1), 8u);
  EXPECT_DOUBLE_EQ(histogram.sum(), 12);
}

TEST(ThreadTimeTest, GrowsWhileItsThreadWorksAndStaysWhenThatHasEnded) {
  ThreadTime time;
  EXPECT_EQ(time.seconds(), 0);
  double before = 0;
  std::thread worker([&] {
    time.Begin();
    before = time.seconds();
    while (time.seconds() < before + 0.002) {
    }
    time.End();
  });
  worker.join();
  const double after = time.seconds();
  EXPECT_GE(after, before + 0.002);
  const std::clock_t begin = std::clock();  // the time of other threads does not count
  while (std::clock() - begin < CLOCKS_PER_SEC / 500) {
  }
  EXPECT_EQ(time.seconds(), after);
}

TEST(CounterTest, AddsUp) {
  Counter counter;
  counter.Add(3);
  counter.Add(4);
  EXPECT_EQ(counter.value(), 7u);
}

}  // namespace
}  // namespace tidegate
