#include "server/rpc/bounded_queue.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

TEST(BoundedQueueTest, FirstInFirstOutRoundAndRound) {
  BoundedQueue<int, 3> queue;
  EXPECT_TRUE(queue.empty());
  int in = 0, out = 0;
  for (std::size_t keep : {3u, 1u, 2u, 0u, 3u, 0u}) {
    while (queue.size() < 3) queue.push_back(in++);
    while (queue.size() > keep) {
      EXPECT_EQ(queue.front(), out++);
      queue.pop_front();
    }
  }
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(in, out);
}

}  // namespace
}  // namespace tidegate
